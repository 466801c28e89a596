package redact

import "slices"

// kind is what a detector finds; its name is the word in the configuration and
// in the marks.
type kind uint8

// The kinds.
const (
	email kind = iota
	phone
	card
	iban
	usSSN
	ukNHS
	ukNINO
	deSteuerID
	frNIR
	itCodiceFiscale
	esDNI
	plPESEL
	brCPF
	brCNPJ
	inAadhaar
	chAHV
	caSIN
	nlBSN
	ipAddress
	namedSecret
	urlPassword
	privateKey
	jwt
	apiKey
	field // not a detector: what stands at a path of Options.Fields
	kinds
)

// Groups of detectors, by which they can be named together.
const (
	groupPersonal = "personal"
	groupNational = "national_ids"
	groupSecrets  = "secrets"
)

// Detector is a detector as it is documented.
type Detector struct {
	Name  string
	Group string // "personal", "national_ids" or "secrets"
	Off   bool   // it works only where it is asked for
}

var detectors = [kinds]Detector{
	email:           {Name: "email", Group: groupPersonal},
	phone:           {Name: "phone", Group: groupPersonal},
	card:            {Name: "card", Group: groupPersonal},
	iban:            {Name: "iban", Group: groupPersonal},
	usSSN:           {Name: "us_ssn", Group: groupNational},
	ukNHS:           {Name: "uk_nhs", Group: groupNational},
	ukNINO:          {Name: "uk_nino", Group: groupNational},
	deSteuerID:      {Name: "de_steuer_id", Group: groupNational},
	frNIR:           {Name: "fr_nir", Group: groupNational},
	itCodiceFiscale: {Name: "it_codice_fiscale", Group: groupNational},
	esDNI:           {Name: "es_dni", Group: groupNational},
	plPESEL:         {Name: "pl_pesel", Group: groupNational},
	brCPF:           {Name: "br_cpf", Group: groupNational},
	brCNPJ:          {Name: "br_cnpj", Group: groupNational},
	inAadhaar:       {Name: "in_aadhaar", Group: groupNational},
	chAHV:           {Name: "ch_ahv", Group: groupNational},
	caSIN:           {Name: "ca_sin", Group: groupNational},
	nlBSN:           {Name: "nl_bsn", Group: groupNational},
	// Four numbers with dots are as often a version as an address.
	ipAddress:   {Name: "ip", Group: groupPersonal, Off: true},
	namedSecret: {Name: "named_secret", Group: groupSecrets},
	urlPassword: {Name: "url_password", Group: groupSecrets},
	privateKey:  {Name: "private_key", Group: groupSecrets},
	jwt:         {Name: "jwt", Group: groupSecrets},
	apiKey:      {Name: "api_key", Group: groupSecrets},
	field:       {Name: "field"},
}

// Detectors are all detectors there are.
func Detectors() []Detector { return slices.Clone(detectors[:field]) }

// Names are the words that Options.Detectors takes: the detectors and their
// groups.
func Names() []string {
	names := []string{groupPersonal, groupNational, groupSecrets}
	for _, d := range detectors[:field] {
		names = append(names, d.Name)
	}
	return names
}

// kindSet holds kinds.
type kindSet uint32

func (s kindSet) has(k kind) bool { return s&(1<<k) != 0 }

// selected is the set that names ask for; no names ask for all that are not
// off. unknown is a name that there is not.
func selected(names []string) (set kindSet, unknown string) {
	for _, name := range names {
		before := set
		for k, d := range detectors[:field] {
			if d.Name == name || d.Group == name && !d.Off {
				set |= 1 << k
			}
		}
		if set == before && !slices.Contains(Names(), name) {
			return 0, name
		}
	}
	if len(names) == 0 {
		for k, d := range detectors[:field] {
			if !d.Off {
				set |= 1 << k
			}
		}
	}
	return set, ""
}
