package xds

import "sluice/extproc/dialect"

// What the tests of this package look at from outside.
var (
	HTTPFilters        = httpFilters
	HTTPManager        = httpManager
	ExtProc            = extProc
	TLSListener        = tlsListener
	PlainListener      = plainListener
	InsideListener     = insideListener
	LocalReplyConfig   = localReplyConfig
	RouteConfiguration = routeConfiguration
	UpstreamCluster    = upstreamCluster
	ExtProcCluster     = extProcCluster
	ControlCluster     = controlCluster
	LoadAssignment     = loadAssignment
	ServerSecret       = serverSecret
	RootsSecret        = rootsSecret
	Pack               = pack
	ClientsSecret      = clientsSecret
	ReplyPaths         = replyPaths
	CallPaths          = []string{invocationPath, geminiPath, nativePath}
	EscapedSlash       = escapedSlash
	GroupRoute         = groupRoute
	ExtProcUpstream    = extProcUpstream
)

func (p replyPath) Path() string             { return p.path }
func (p replyPath) Dialect() dialect.Dialect { return p.dialect }
