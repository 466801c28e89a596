package audit

// stored is the JSON of a record as the segments hold it: what the encoders
// would make of the record, so that they need not run for what is handed on as
// it was read. It counts for as long as the record has the halves that were
// read; who changes one puts another in its place.
type stored struct {
	// "": the encoder has to run. The outcome is without its opening brace.
	exchange, outcome, event string

	// What the JSON is of.
	ofExchange *Exchange
	ofOutcome  *Outcome
	ofEvent    *Event
}

// exchangeOf is the JSON of x, "" where it is not known.
func (s *stored) exchangeOf(x *Exchange) string {
	if s.ofExchange != x {
		return ""
	}
	return s.exchange
}

// outcomeOf is the JSON of o without its opening brace, "" where it is not
// known.
func (s *stored) outcomeOf(o *Outcome) string {
	if s.ofOutcome != o {
		return ""
	}
	return s.outcome
}

// eventOf is the JSON of e, "" where it is not known.
func (s *stored) eventOf(e *Event) string {
	if s.ofEvent != e {
		return ""
	}
	return s.event
}

// setFirst fills in what the meta data of the frame that begins a record says.
func (r *Record) setFirst(kind frameKind, metaData []byte) error {
	meta := string(metaData)
	var plain bool
	var err error
	switch kind {
	case frameBegin:
		r.Exchange = &Exchange{}
		if plain, err = decodeExchange(meta, r.Exchange); plain {
			r.stored.exchange, r.stored.ofExchange = meta, r.Exchange
		}
		r.ID = r.Exchange.ID
	case frameWhole:
		m := &wholeMeta{}
		var exchange, outcome string
		if plain, exchange, outcome, err = decodeWhole(meta, m); plain {
			r.stored.exchange, r.stored.ofExchange = exchange, &m.Exchange
			r.stored.outcome, r.stored.ofOutcome = outcome[1:], &m.Outcome
		}
		r.ID, r.Exchange, r.Outcome = m.ID, &m.Exchange, &m.Outcome
	case frameEvent:
		r.Event = &Event{}
		if plain, err = decodeEvent(meta, r.Event); plain {
			r.stored.event, r.stored.ofEvent = meta, r.Event
		}
		r.ID = r.Event.RequestID
	default:
		err = badRecord("it is not the first half of a record")
	}
	return wrapMeta(err)
}

// fillEnd fills in what the meta data of a response half with this sequence says.
func (r *Record) fillEnd(seq uint64, meta string) error {
	m := &endMeta{}
	plain, err := decodeEnd(meta, m)
	if err != nil {
		return wrapMeta(err)
	}
	if r.Exchange == nil {
		r.ID, r.Exchange = m.ID, &Exchange{ID: m.ID, Time: r.Time}
	}
	r.EndSequence = seq
	r.setSecond(m, meta, plain)
	return nil
}

// setSecond fills in what the meta data of a response half says.
func (r *Record) setSecond(m *endMeta, meta string, plain bool) {
	r.Outcome = &m.Outcome
	if plain {
		r.stored.outcome, r.stored.ofOutcome = withoutID(meta), r.Outcome
	}
}
