package ui_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

func TestUsersFromBirthToDeath(t *testing.T) {
	w := newWorld(t)
	w.get("root", "/ui/people").leads("/ui/people/users")
	w.get("root", "/ui/people/users").must(200).has("alice", "administrator", "1–4 of 4").inert()
	w.get("root", "/ui/people/users?search=ali").must(200).has("1–1 of 1").hasNot("bob")

	// What is refused stays in the form, and says at which field why.
	w.post("root", "/ui/people/users/new", url.Values{"userName": {"alice"}, "fullName": {"Kept Name"}}).must(422).has("exists already")
	require.Contains(t, w.post("root", "/ui/people/users/new", url.Values{"userName": {"alice"}, "fullName": {"Kept Name"}}).body, "Kept Name")

	made := w.post("root", "/ui/people/users/new", url.Values{
		"userName": {"carol"}, "fullName": {bold}, "email": {"carol@example.com"}, "roles": {"auditor"}, "otherRoles": {"analyst, planner"},
	}).must(303).header.Get("Location")
	w.get("root", made).must(200).has("carol", "analyst, auditor, planner", "carol@example.com", bold).inert()

	edit := w.get("root", made+"/edit").must(200)
	edit.inert()
	require.Equal(t, "carol", hidden(edit, "userName"))
	w.post("root", made+"/edit", url.Values{"userName": {"caroline"}, "roles": {}}).leads(made)
	w.get("root", made).must(200).has("caroline", "Roles none")

	token := w.post("root", made+"/tokens/new", url.Values{"name": {"notebook"}, "expires": {"30"}, "networks": {"10.0.0.0/8"}}).must(200)
	plain := regexp.MustCompile(`slu_[0-9A-Za-z]+`).FindString(token.body)
	require.NotEmpty(t, plain)
	w.get("root", made).must(200).has("notebook", "10.0.0.0/8", "Active").hasNot(plain)
	w.get("root", "/ui/people/tokens").must(200).has("notebook", "caroline").hasNot(plain)

	w.get("root", made+"/switch").must(200).has("Disable caroline?")
	w.post("root", made+"/switch", nil).leads(made)
	w.get("root", made).must(200).has("Disabled")
	w.post("root", made+"/switch", nil).leads(made)

	// Two administrators who disable the user at the same time do not enable him.
	question := w.get("root", made+"/switch").must(200)
	require.Equal(t, "true", hidden(question, "disabled"))
	for range 2 {
		w.post("root", made+"/switch", url.Values{"disabled": {"true"}}).leads(made)
		w.get("root", made).must(200).has("Disabled")
	}

	// A form that was opened before a role was taken does not give it back.
	w.post("root", made+"/edit", url.Values{"userName": {"caroline"}, "roles": {"auditor"}}).leads(made)
	old := w.get("root", made+"/edit").must(200)
	w.post("root", made+"/edit", url.Values{"userName": {"caroline"}, "roles": {}}).leads(made)
	w.post("root", made+"/edit", url.Values{"userName": {"caroline"}, "roles": {"auditor"}, "version": {hidden(old, "version")}}).
		must(422).has("Somebody else has changed this")
	w.get("root", made).must(200).has("Roles none")

	w.get("root", made+"/delete").must(200).has("can't be undone")
	w.post("root", made+"/delete", nil).leads("/ui/people/users")
	w.get("root", made).must(404)
	w.get("root", "/ui/people/tokens").must(200).has("Revoked")
	w.post("root", "/ui/people/users/"+w.users["root"]+"/delete", nil).must(422).has("last user with the role administrator")
}

func TestServiceAccountsAreApart(t *testing.T) {
	w := newWorld(t)
	w.get("root", "/ui/people/service-accounts").must(200).has("None yet", "New service account")
	made := w.post("root", "/ui/people/service-accounts/new", url.Values{"userName": {"nightly"}}).must(303).header.Get("Location")
	w.get("root", "/ui/people/service-accounts").must(200).has("nightly")
	w.get("root", "/ui/people/users").must(200).hasNot("nightly")
	id := made[strings.LastIndexByte(made, '/')+1:]
	w.get("root", "/ui/people/users/"+id).leads(made)
}

func TestOrganizationsAndTheirMembers(t *testing.T) {
	w := newWorld(t)
	w.get("root", "/ui/people/organizations").must(200).has("science", "1–1 of 1").inert()
	made := w.post("root", "/ui/people/organizations/new", url.Values{"name": {bold}}).must(303).header.Get("Location")
	w.get("root", made).must(200).has(bold, "No members yet").inert()
	w.get("root", made+"/members/add").must(200).inert()
	w.post("root", made+"/members/add", url.Values{"user": {"nobody-known"}, "role": {"member"}}).must(422).has("no user")
	w.post("root", made+"/members/add", url.Values{"user": {"alice"}, "role": {"admin"}}).leads(made)
	w.get("root", made).must(200).has("alice", "Admin", "By hand")

	member := made + "/members/" + w.users["alice"]
	w.post("root", member, url.Values{"role": {"member"}}).leads(made)
	w.get("root", made).must(200).hasNot("Admin")
	w.post("root", member+"/out", nil).leads(made)
	w.get("root", made).must(200).has("No members yet")
	w.get("root", member).must(404)
	w.post("root", made+"/edit", url.Values{"name": {"science"}}).must(422).has("exists already")
	w.post("root", made+"/edit", url.Values{"name": {"arts"}}).leads(made)
	w.post("root", made+"/delete", nil).leads("/ui/people/organizations")
}

func TestRevokingAToken(t *testing.T) {
	w := newWorld(t)
	_, issued, err := w.identity.IssueToken(context.Background(), identity.Token{Name: "laptop", UserID: w.users["alice"]})
	require.NoError(t, err)
	path := "/ui/people/tokens/" + issued.ID + "/revoke"
	back := "/ui/people/users/" + w.users["alice"]
	require.Equal(t, back, hidden(w.get("root", path+"?back="+back).must(200).has("laptop", "alice"), "back"))
	w.post("root", path, url.Values{"back": {back}}).leads(back)
	w.post("root", path, url.Values{"back": {"https://evil.test"}}).leads("/ui/people/tokens")
}

func TestOthersDoNotManagePeople(t *testing.T) {
	w := newWorld(t)
	alice := "/ui/people/users/" + w.users["alice"]
	for _, user := range []string{"alice", "eve", "bob"} {
		w.get(user, "/ui/").must(200).hasNot("People")
		w.get(user, "/ui/people/users").must(403).inert()
		for _, path := range []string{
			"/ui/people/users/new", alice + "/edit", alice + "/switch", alice + "/delete", "/ui/people/organizations/new",
			"/ui/people/service-accounts/new", "/ui/people/organizations/" + w.science + "/delete",
		} {
			p := w.post(user, path, url.Values{"userName": {"x"}, "name": {"x"}, "roles": {"administrator"}})
			require.Contains(t, []int{403, 404}, p.status, "%s %s", user, path)
		}
	}
	u, err := w.identity.GetUser(context.Background(), w.users["alice"])
	require.NoError(t, err)
	require.Empty(t, u.Roles)
	require.False(t, u.Disabled)
}
