# Everything in one file: those on the list may do everything.
package sluice

default decision := {"allow": false, "reasons": [{"code": "not_on_the_list"}]}

decision := {"allow": true, "reasons": [{"code": "on_the_list"}]} if data.people[input.caller.name]
