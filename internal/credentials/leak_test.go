package credentials_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when goroutines of this package or of the AWS SDK outlive the
// tests. Those of sources are watched by testing/synctest as well.
func TestMain(m *testing.M) {
	status := m.Run()
	if left := leftBehind(time.Minute); left != "" && status == 0 {
		fmt.Fprintf(os.Stderr, "goroutines are left behind:\n%s\n", left)
		status = 1
	}
	os.Exit(status)
}

func leftBehind(patience time.Duration) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var left []string
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			own := strings.Contains(g, "sluice/internal/credentials.") || strings.Contains(g, "aws-sdk-go-v2")
			if own && !strings.Contains(g, "TestMain") {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
	}
}
