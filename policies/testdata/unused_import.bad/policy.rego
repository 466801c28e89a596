package sluice

import data.people

decision := {"allow": true}
