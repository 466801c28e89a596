package admin

import (
	"fmt"
	"net/http"
	"strconv"

	"sluice/internal/audit"
	"sluice/internal/identity"
)

// dominoPerson is the user of Domino's internal API.
type dominoPerson struct {
	ID        string `json:"id"`
	UserName  string `json:"userName"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	FullName  string `json:"fullName"`
	Email     string `json:"email,omitempty"`
	AvatarURL string `json:"avatarUrl"`
}

// dominoPrincipal is who the caller is, with the settings that Domino's pages
// and libraries read there. What has no meaning here is empty.
type dominoPrincipal struct {
	IsAnonymous             bool     `json:"isAnonymous"`
	IsAdmin                 bool     `json:"isAdmin"`
	CanonicalID             string   `json:"canonicalId"`
	CanonicalName           string   `json:"canonicalName"`
	AllowedSystemOperations []string `json:"allowedSystemOperations"`
	FeatureFlags            []string `json:"featureFlags"`
	BooleanSettings         []string `json:"booleanSettings"`
	MixpanelSettings        mixpanel `json:"mixpanelSettings"`
	GlobalBannerSettings    banner   `json:"globalBannerSettings"`
	RememberMeSeconds       int      `json:"extendedIdentityPropagationToAppsRememberMeExpirationInSecs"`
	DontRememberMeSeconds   int      `json:"extendedIdentityPropagationToAppsDontRememberMeExpirationInSecs"`
	UploadFileBatchSize     int      `json:"uploadFileBatchSize"`
	IdleTimeoutMinutes      int      `json:"idleTimeoutValueInMinutes"`
	IdlePromptMinutes       int      `json:"idleTimeoutPromptValueInMinutes"`
	PendoInstallKey         string   `json:"pendoInstallKey"`
	ESignatureActions       []string `json:"eSignatureActionOptions"`
	BuildPropagation        bool     `json:"environmentsBuildPropagationEnabled"`
	AppsHost                string   `json:"appsHost"`
	AppsSubdomain           string   `json:"appsSubdomain"`
}

type mixpanel struct {
	FrontendClientEnabled bool   `json:"frontendClientEnabled"`
	BackendClientEnabled  bool   `json:"backendClientEnabled"`
	Token                 string `json:"token"`
}

type banner struct {
	IsClosable bool `json:"isClosable"`
}

// adminOperations are those of Domino's system operations that an administrator
// of the gateway has: what they name is about people and not about projects.
var adminOperations = []string{"ManageOrganizations", "SetUserSystemRoles", "UpdateUser", "ViewAdminMenu", "ViewUserList"}

// dominoPersonSelf is GET /v4/users/self.
func (s *server) dominoPersonSelf(c *call) error {
	u, err := s.Identity.GetUser(c.ctx(), c.caller.UserID)
	if err != nil {
		return err
	}
	shape := dominoUserShape(s.userShape(&u))
	return c.reply(http.StatusOK, dominoPerson{
		ID: shape.ID, UserName: shape.UserName, FirstName: shape.FirstName, LastName: shape.LastName,
		FullName: shape.FullName, Email: shape.Email,
	})
}

// dominoPrincipalSelf is GET /v4/auth/principal.
func (s *server) dominoPrincipalSelf(c *call) error {
	out := dominoPrincipal{
		CanonicalID: c.caller.UserID, CanonicalName: c.caller.UserName, IsAdmin: c.caller.HasRole(identity.RoleAdministrator),
		AllowedSystemOperations: []string{}, FeatureFlags: []string{}, BooleanSettings: []string{}, ESignatureActions: []string{},
	}
	if out.IsAdmin {
		out.AllowedSystemOperations = adminOperations
	}
	return c.reply(http.StatusOK, out)
}

// downloadMonths is how far back the download goes.
const downloadMonths = 6

// downloadAudit is GET /v4/aigateway/audit/download: what happened to endpoints
// and with them in the past six months, oldest first, as a file. It is written
// while it is read.
func (s *server) downloadAudit(c *call) error {
	asJSON, err := readBool(c.r.URL.Query(), "useJson", false)
	if err != nil {
		return err
	}
	user := c.caller.UserID
	if err := s.downloads.enter(user); err != nil {
		return err
	}
	defer s.downloads.leave(user)
	now := s.Now().UTC()
	f := audit.Filter{Kinds: endpointKinds, From: now.AddDate(0, -downloadMonths, 0)}
	extension := map[bool]string{true: "json", false: "txt"}[asJSON]
	c.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="aigateway-audit-%s.%s"`, now.Format("2006-01-02"), extension))
	out := c.stream("application/octet-stream")
	if asJSON {
		return s.writeAudit(c, f, out)
	}
	if c.onlyOwned(&f) {
		_, err = s.Trail.Export(c.ctx(), f, func(dst []byte, r *audit.Record) ([]byte, error) {
			if data, ok := dominoRecord(r); ok {
				dst = data.appendLine(dst)
			}
			return dst, nil
		}, out.put)
	}
	if err != nil {
		return err
	}
	return out.close()
}

// writeAudit writes the records that a filter selects as a JSON array, while
// they are read.
func (s *server) writeAudit(c *call, f audit.Filter, out *stream) error {
	first := byte('[')
	if c.onlyOwned(&f) {
		_, err := s.Trail.Export(c.ctx(), f, func(dst []byte, r *audit.Record) ([]byte, error) {
			data, ok := dominoRecord(r)
			if !ok {
				return dst, nil
			}
			return append(data.appendJSON(append(dst, ',')), '\n'), nil
		}, func(b []byte) error {
			if len(b) > 0 && first == '[' {
				b[0], first = first, 0
			}
			return out.put(b)
		})
		if err != nil {
			return err
		}
	}
	end := "]\n"
	if first == '[' {
		end = "[]\n"
	}
	if err := out.put([]byte(end)); err != nil {
		return err
	}
	return out.close()
}

// appendLine appends a record as a line of text: the time, what happened, and names with
// values, which are quoted where they have other than plain characters.
func (d *auditRow) appendLine(b []byte) []byte {
	b = append(d.timestamp.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00"), ' ')
	b = append(b, d.eventKind...)
	b = appendPair(b, "performedBy", d.performedBy)
	b = appendPair(b, "endpointId", d.endpointID)
	b = appendPair(b, "endpointType", d.endpointType)
	for _, f := range d.metadata {
		b = appendPair(b, f.name, f.value)
	}
	return append(b, '\n')
}

func appendPair(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, ' '), name...), '=')
	if plain(value) {
		return append(b, value...)
	}
	return strconv.AppendQuote(b, value)
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\' {
			return false
		}
	}
	return true
}
