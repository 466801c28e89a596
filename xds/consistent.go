package xds

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// Consistent returns an error when a resource names another that is not there:
// a route without its cluster, a cluster without its addresses, a listener
// without its routes. It is for tests; while a change is on its way it may
// fail.
func (c *ControlPlane) Consistent() error {
	clusters := c.stores[resource.ClusterType].cache.GetResources()
	endpoints := c.stores[resource.EndpointType].cache.GetResources()
	secrets := c.stores[resource.SecretType].cache.GetResources()
	routes := c.stores[resource.RouteType].cache.GetResources()
	table, ok := routes[routesName].(*routev3.RouteConfiguration)
	if !ok {
		return fmt.Errorf("there is no table of routes")
	}
	routed := table.GetVirtualHosts()[0].GetMatcher().GetMatcherTree().GetExactMatchMap().GetMap()
	for key := range routed {
		if clusters[key] == nil && !strings.HasPrefix(key, "targets:") {
			return fmt.Errorf("route %s has no cluster", key)
		}
	}
	for name, r := range clusters {
		cluster, ok := r.(*clusterv3.Cluster)
		if !ok {
			return fmt.Errorf("%s is not a cluster", name)
		}
		fixed := name == clusterExtProc || name == clusterControl
		if !fixed && routed[name] == nil && !strings.HasPrefix(name, "staged:") {
			return fmt.Errorf("cluster %s has no route", name)
		}
		if cluster.GetType() == clusterv3.Cluster_EDS && endpoints[name] == nil {
			return fmt.Errorf("cluster %s has no load assignment", name)
		}
		if strings.HasPrefix(strings.TrimPrefix(name, "staged:"), "https:") && secrets[secretRoots] == nil {
			return fmt.Errorf("cluster %s has no roots to verify against", name)
		}
	}
	for name := range endpoints {
		if clusters[name] == nil {
			return fmt.Errorf("load assignment %s has no cluster", name)
		}
	}
	return nil
}
