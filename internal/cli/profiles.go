package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func profilesCommand() *cobra.Command {
	r := &remote{}
	cmd := group("profiles", "List the gateways that you have signed in to, and choose among them",
		profilesListCommand(r), profilesUseCommand(r), profilesDeleteCommand(r))
	r.outputFlag(cmd)
	return cmd
}

// shownProfile is a profile without its secrets.
type shownProfile struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	Server  string `json:"server"`
	User    string `json:"user"`
	OwnCA   bool   `json:"ownCa"` // a CA was kept
	Method  string `json:"method"`
}

func profilesListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List profiles; the current one has a star",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.checkOutput(); err != nil {
				return err
			}
			all, err := loadProfiles()
			if err != nil {
				return err
			}
			list := []shownProfile{}
			for _, name := range sortedKeys(all.Profiles) {
				p := all.Profiles[name]
				s := shownProfile{Name: name, Current: name == all.Current, Server: p.Server, User: p.User, OwnCA: p.CA != "", Method: "token"}
				switch {
				case p.Token == "":
					s.Method = "signed out"
				case p.OIDC != nil:
					s.Method = "oidc"
				}
				list = append(list, s)
			}
			return r.show(cmd, list, "CURRENT NAME SERVER USER METHOD", func(add func(...any)) {
				for _, s := range list {
					star := ""
					if s.Current {
						star = "*"
					}
					add(star, s.Name, s.Server, s.User, s.Method)
				}
			})
		},
	}
}

func profilesUseCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a profile the current one",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(completeProfiles),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.changeProfiles(cmd, args[0], "The current profile is %s, which is at %s.", func(all *profiles) { all.Current = args[0] })
		},
	}
}

func profilesDeleteCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "delete NAME",
		Short:             "Forget a profile and its token; the token goes on working elsewhere",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(completeProfiles),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.confirm(cmd, "Forget the profile %s?", args[0]); err != nil {
				return err
			}
			return r.changeProfiles(cmd, args[0], "The profile %s of %s is forgotten.", func(all *profiles) {
				delete(all.Profiles, args[0])
				if all.Current == args[0] {
					all.Current = ""
				}
			})
		},
	})
}

// changeProfiles changes the file and says so, with name and server.
func (r *remote) changeProfiles(cmd *cobra.Command, name, sentence string, change func(*profiles)) error {
	if err := r.checkOutput(); err != nil {
		return err
	}
	var p profile
	if err := changeProfiles(func(all *profiles) (err error) {
		if p, err = all.get(name); err == nil {
			change(all)
		}
		return err
	}); err != nil {
		return err
	}
	return r.say(cmd, map[string]string{"name": name, "server": p.Server}, sentence, name, p.Server)
}

func logoutCommand() *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Forget the token of a profile; its server and CA stay",
		Long: "Forget the token of the current profile, or of --profile. Its server and CA stay for the next sluice login.\n" +
			"The token itself goes on working elsewhere: sluice tokens revoke ends it.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := loadProfiles()
			if err != nil {
				return err
			}
			name := first(r.profile, all.Current)
			if name == "" {
				return fmt.Errorf("you have not signed in: there is no profile")
			}
			return r.changeProfiles(cmd, name, "Signed out: the token of the profile %s, for %s, is forgotten.", func(all *profiles) {
				p := all.Profiles[name]
				p.Token, p.OIDC = "", nil
				all.Profiles[name] = p
			})
		},
	}
	cmd.Flags().StringVar(&r.profile, "profile", "", "the profile (default the current one)")
	complete(cmd, "profile", completeProfiles)
	r.outputFlag(cmd)
	return cmd
}
