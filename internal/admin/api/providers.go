package api

// Provider is one kind of provider that endpoints can have.
type Provider struct {
	ID         string   `json:"id"`
	Aliases    []string `json:"aliases"` // other ids that mean the same
	Title      string   `json:"title"`
	Deprecated string   `json:"deprecated,omitempty"` // why not to choose it, as a sentence
	Types      []string `json:"types"`                // endpoint types that it answers
	// Native: its own API can be called under /native/{endpoint}/. NativeOnly: and
	// nothing else.
	Native     bool                `json:"native"`
	NativeOnly bool                `json:"nativeOnly"`
	Features   ProviderFeatures    `json:"features"`
	Models     map[string][]string `json:"models"` // well-known ones, by endpoint type; any other works too
	Fields     []ProviderField     `json:"fields"` // of modelConfig, in the order of forms
}

// ProviderFeatures are what a provider carries in chat.
type ProviderFeatures struct {
	Streams    []string `json:"streams"` // endpoint types that stream
	Tools      bool     `json:"tools"`
	Images     bool     `json:"images"`
	JSONSchema bool     `json:"jsonSchema"`
	Reasoning  bool     `json:"reasoning"`
}

// ProviderField is a parameter of modelConfig.
type ProviderField struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required"`
	// Usual: most targets need it though some do without.
	Usual     bool     `json:"usual,omitempty"`
	Secret    bool     `json:"secret"` // kept in the vault, never shown
	Default   string   `json:"default,omitempty"`
	Enum      []string `json:"enum,omitempty"`      // allowed values, in any case
	Group     string   `json:"group,omitempty"`     // the key under which MLflow's files nest it
	URL       bool     `json:"url,omitempty"`       // an http or https URL
	Maximum   int      `json:"maximum,omitempty"`   // a whole number from 0 to it
	Multiline bool     `json:"multiline,omitempty"` // may have line breaks, as JSON has
}

// ProviderList are all providers, by id.
type ProviderList struct {
	Providers []Provider `json:"providers"`
}
