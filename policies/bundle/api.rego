# METADATA
# title: REST API
# description: |
#   Which role may do what with the REST API. An allowed request carries the
#   obligation "scope": what it may touch. Everything ("all"), the endpoints that
#   the caller may use or owns ("permitted"), those that he or an organization of
#   his owns ("owned"), or what belongs to his own user ("own").
#
#   Another bundle may give more roles something to do, in the same shape as
#   scopes, as data: data.sluice.custom.api.
package sluice.api

import data.sluice.custom
import data.sluice.endpoints

resources := {
	"endpoints", "permissions", "audit", "tokens", "users", "organizations", "policies", "status",
	"credentials", "usage", "sessions", "settings", "provisioning",
	"holds", "evidence", "sinks",
}

verbs := {"list", "read", "create", "update", "delete"}

# role → resource → verb → scope
scopes := {
	"auditor": {
		"audit": {"list": "all", "read": "all"},
		"usage": {"list": "all"},
		"holds": {"list": "all"},
		"evidence": {"read": "all"},
		"sinks": {"list": "all"},
	},
	# The company's directory, which keeps users and organizations by SCIM. It can't
	# reach them by any other way, and administrators not at all.
	"provisioner": {"provisioning": {"list": "all", "read": "all", "create": "all", "update": "all", "delete": "all"}},
	# Who creates an endpoint with the scope "owned" is its first owner.
	"endpoint-owner": {"endpoints": {"create": "owned"}},
}

# What the owners of an endpoint may do with it: resource → verb.
owners := {
	"endpoints": {"read", "update", "delete"},
	"permissions": {"read", "update"},
	"audit": {"list", "read"},
	"usage": {"list"},
}

# What every signed-in caller may do: resource → verb → scope
everyone := {
	"endpoints": {"list": "permitted", "read": "permitted"},
	"audit": {"list": "owned", "read": "owned"}, # of endpoints, one by one
	"tokens": {"list": "own", "read": "own", "create": "own", "delete": "own"},
	"users": {"read": "own"},
	# To update what is one's own is to change the members of organizations of
	# which one is an admin.
	"organizations": {"list": "own", "read": "own", "update": "own"},
	"usage": {"list": "own"},
	"sessions": {"list": "own", "delete": "own"},
}

# An administrator may do all that there is.
granted contains "all" if {
	"administrator" in input.caller.roles
	input.resource in resources
	input.verb in verbs
}

granted contains scope if {
	some role in input.caller.roles
	scope := scopes[role][input.resource][input.verb]
	held(scope)
}

granted contains scope if {
	some role in input.caller.roles
	scope := custom.api[role][input.resource][input.verb]
	held(scope)
}

granted contains "owned" if {
	input.verb in owners[input.resource]
	owns
}

# The caller, or an organization of his, is an owner of the endpoint.
owns if input.endpoint.owners[input.caller.id]

owns if input.endpoint.owners[input.caller.organizations[_]]

# Where the question names one endpoint, "owned" is decided here.
held(scope) if scope != "owned"

held("owned") if not input.endpoint

held("owned") if owns

decision := {
	"allow": false,
	"reasons": [{
		"code": "not_authenticated",
		"message": "Sign in: send a token of this gateway with the request.",
	}],
} if {
	not input.caller.id
} else := {
	"allow": true,
	"reasons": [{"code": "allowed_owner", "message": "An owner of the endpoint may do this."}],
	"obligations": {"scope": "owned"},
} if {
	widest == "owned"
	input.endpoint
} else := {
	"allow": true,
	"reasons": [{"code": "allowed_role", "message": "A role of the user may do this."}],
	"obligations": {"scope": scope},
} if {
	scope := widest
} else := {
	"allow": true,
	"reasons": [{"code": "allowed_everyone", "message": "Everyone who has signed in may do this."}],
	"obligations": {"scope": scope},
} if {
	scope := everyone[input.resource][input.verb]
	within(scope)
} else := {
	"allow": false,
	"reasons": [{
		"code": "not_permitted",
		"message": "Your roles do not let you do this. Ask an administrator.",
	}],
}

# The widest of the granted scopes.
widest := "all" if {
	"all" in granted
} else := "permitted" if {
	"permitted" in granted
} else := "owned" if {
	"owned" in granted
} else := "own" if {
	"own" in granted
}

# Where the question names one endpoint, "permitted" and "owned" are decided here.
within(scope) if not scope in {"permitted", "owned"}

within(_) if not input.endpoint

within("permitted") if endpoints.grants
