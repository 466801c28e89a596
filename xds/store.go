package xds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// typeOrder is the order in which things are made: what is named before what
// names it. They are removed the other way round.
var typeOrder = []string{
	resource.SecretType, resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType,
}

var shortNames = map[string]string{
	resource.SecretType: "secrets", resource.ClusterType: "clusters", resource.EndpointType: "endpoints",
	resource.ListenerType: "listeners", resource.RouteType: "routes",
}

// shortName is the word for a resource type in status, log and metrics.
func shortName(typeURL string) string {
	if s, ok := shortNames[typeURL]; ok {
		return s
	}
	return "other"
}

// store holds the resources of one type, and knows their versions.
type store struct {
	typeURL string
	cache   *cache.LinearCache

	mu       sync.Mutex // guards the following field
	versions versions
}

func newStore(typeURL string) *store {
	return &store{typeURL: typeURL, cache: cache.NewLinearCache(typeURL), versions: versions{}}
}

// update puts the resources that differ from what is there, and drops the
// removed. It returns what has changed.
func (s *store) update(set map[string]types.Resource, removed []string) (changed versions, gone []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = versions{}
	fresh := map[string]types.Resource{}
	for name, r := range set {
		b, err := cache.MarshalResource(r)
		if err != nil {
			return nil, nil, fmt.Errorf("encoding %s %s: %w", shortName(s.typeURL), name, err)
		}
		// The same hash as the cache's own, by which Envoy's answers are known.
		if v := cache.HashResource(b); s.versions[name] != v {
			changed[name], fresh[name] = v, r
		}
	}
	for _, name := range removed {
		if _, ok := s.versions[name]; ok {
			gone = append(gone, name)
		}
	}
	if len(changed) == 0 && len(gone) == 0 {
		return nil, nil, nil
	}
	maps.Copy(s.versions, changed)
	for _, name := range gone {
		delete(s.versions, name)
	}
	if err := s.cache.UpdateResources(fresh, gone); err != nil {
		return nil, nil, fmt.Errorf("updating %s: %w", shortName(s.typeURL), err)
	}
	return changed, gone, nil
}

// want returns the versions that Envoy is to have.
func (s *store) want() versions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.versions)
}

// digest is one hash over names and versions.
func (v versions) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(h, "%s=%s\n", name, v[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
