package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/internal/prices"
)

func pricesCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:               "prices [PROVIDER]",
		Short:             "Show the prices with which costs are estimated",
		Args:              atMostOne("PROVIDER"),
		ValidArgsFunction: firstArg(r.completeProviders()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Prices(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if list.Providers = priced(list.Providers, args[0]); len(list.Providers) == 0 {
					return fmt.Errorf("there are no prices of a provider %q", args[0])
				}
			}
			return r.showPrices(cmd, list)
		}),
	}, r)
}

func priced(list []prices.Provider, id string) []prices.Provider {
	for _, p := range list {
		if sameProvider(p.Provider, id) {
			return []prices.Provider{p}
		}
	}
	return nil
}

func (r *remote) showPrices(cmd *cobra.Command, list api.Prices) error {
	if r.output == outputTable {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s; the built-in ones are of %s\n", list.Unit, list.Date); err != nil {
			return err
		}
	}
	return r.show(cmd, list, "PROVIDER MODEL INPUT CACHED CACHE-WRITE OUTPUT OF", func(add func(...any)) {
		for _, p := range list.Providers {
			for _, m := range p.Models {
				date := m.Date
				if date == "" {
					date = list.Date
				}
				line := func(model string, r prices.Rates) {
					add(append(append([]any{p.Provider, model}, rates(r)...), date)...)
				}
				line(m.Model, m.Rates)
				if m.Long != nil {
					line(fmt.Sprintf("%s, input above %d", m.Model, m.Long.Above), m.Long.Rates)
				}
			}
		}
	})
}

// rates are the cells of a price; what is not given costs what input costs,
// and output that is not given costs nothing.
func rates(r prices.Rates) []any {
	out := []any{r.Input, r.Cached, r.CacheWrite, r.Output}
	for i, other := range []any{r.Input, r.Input, r.Input, "0"} {
		if fmt.Sprint(out[i]) == "" {
			out[i] = other
		}
	}
	return out
}
