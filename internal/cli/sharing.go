package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// sharing finds whom permissions name: in the directory, or, for owners, who may
// not list that, among those with whom an endpoint can be shared.
type sharing struct {
	c        *client.Client
	endpoint string // "": one that is to be made
}

func (s sharing) userIDs(ctx context.Context, names []string) ([]string, error) {
	found, err := userIDs(ctx, s.c, names)
	return s.orCandidates(ctx, found, err, names, "user", api.KindPerson, api.KindServiceAccount)
}

func (s sharing) organizationIDs(ctx context.Context, names []string) ([]string, error) {
	found, err := organizationIDs(ctx, s.c, names)
	return s.orCandidates(ctx, found, err, names, "organization", api.KindOrganization)
}

// orCandidates looks among the candidates where the directory has not what was
// asked for, or does not tell.
func (s sharing) orCandidates(ctx context.Context, found []string, err error, names []string, what string, kinds ...string) ([]string, error) {
	var missing noSuch
	if err == nil || !errors.As(err, &missing) && !forbidden(err) {
		return found, err
	}
	shared, none := ids(names, what, func(search string) ([]string, []string, error) {
		all, err := s.c.AllCandidates(ctx, s.endpoint, search)
		all = slices.DeleteFunc(all, func(x api.Candidate) bool { return !slices.Contains(kinds, x.Kind) })
		return parts(all, func(x api.Candidate) (string, string) { return x.ID, x.Name }, err)
	})
	if forbidden(none) {
		return nil, err
	}
	return shared, none
}

// name is that of the user or organization with the id.
func (s sharing) name(ctx context.Context, id string) (string, error) {
	if u, err := s.c.GetUser(ctx, id); err == nil {
		return u.UserName, nil
	}
	if o, err := s.c.Organization(ctx, id); err == nil {
		return o.Name, nil
	}
	list, err := s.c.Candidates(ctx, s.endpoint, url.Values{"ids": {id}})
	if err != nil || len(list.Candidates) == 0 {
		return "", err
	}
	return list.Candidates[0].Name, nil
}

func forbidden(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Status == http.StatusForbidden
}
