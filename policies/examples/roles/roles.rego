# A role may use whole groups of endpoints, whatever their own permissions say.
# The table is data: see data.yaml.
package sluice.custom

allow contains {"code": "allowed_by_role_table", "message": sprintf("The role %s may use this endpoint.", [role])} if {
	some role in input.caller.roles
	some pattern in data.sluice.tables.endpoints_of_role[role]
	glob.match(pattern, [], input.endpoint.name)
}
