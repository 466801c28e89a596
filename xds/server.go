package xds

import (
	"context"
	"fmt"
	"net"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// adsServer is the one service that Envoy asks: delta, aggregated.
type adsServer struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	handler delta.Server
}

func (s *adsServer) DeltaAggregatedResources(
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer,
) error {
	return s.handler.DeltaStreamHandler(stream, resource.AnyType)
}

// mux gives each resource type its own cache.
func mux(stores map[string]*store) *cache.MuxCache {
	caches := make(map[string]cache.Cache, len(stores))
	for typeURL, s := range stores {
		caches[typeURL] = s.cache
	}
	return &cache.MuxCache{
		Classify:      func(r *cache.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        caches,
	}
}

// Serve answers Envoy on the listener, and keeps addresses fresh, until the
// context ends. It closes the listener. It may be called once.
func (c *ControlPlane) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, &adsServer{
		handler: delta.NewServer(ctx, mux(c.stores), c.acks),
	})
	refreshed := make(chan struct{})
	go func() {
		defer close(refreshed)
		c.refresh(ctx)
	}()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		server.Stop()
	}()
	err := server.Serve(l)
	cancel()
	<-stopped
	<-refreshed
	c.pushes.Wait()
	if err != nil {
		return fmt.Errorf("serving xDS: %w", err)
	}
	return nil
}
