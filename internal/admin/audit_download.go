package admin

import (
	"fmt"
	"math"
	"net/http"

	"sluice/extproc/dialect"
)

// mostDownloads is how many downloads of the trail one user has at the same time,
// those that wait for their turn too. The trail runs ten of all users together:
// without it one user could keep all others out.
const mostDownloads = 4

// downloads counts downloads of the trail.
type downloads struct{ places }

// enter counts one more download of a user, or says why there is no room for it.
// leave ends it.
func (d *downloads) enter(user string) error {
	if d.take(user, mostDownloads, math.MaxInt) == room {
		return nil
	}
	return &dialect.Error{
		Status: http.StatusTooManyRequests, Code: dialect.CodeTooManyDownloads,
		Message: fmt.Sprintf("You download the trail %d times already, which is as often as one user may. "+
			"End one of the downloads, or wait until one has ended.", mostDownloads),
	}
}
