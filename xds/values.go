package xds

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Short names for the wrappers that proto uses for optional values.

func u32(n uint32) *wrapperspb.UInt32Value          { return wrapperspb.UInt32(n) }
func yes() *wrapperspb.BoolValue                    { return wrapperspb.Bool(true) }
func no() *wrapperspb.BoolValue                     { return wrapperspb.Bool(false) }
func duration(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
func zeroDuration() *durationpb.Duration            { return durationpb.New(0) }

func pipeAddress(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}
}

func socketAddress(host string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}
