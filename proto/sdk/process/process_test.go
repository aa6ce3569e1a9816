package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/process"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
)

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestComponentGetsItsFlagsAndEndpoints(t *testing.T) {
	address := freeAddress(t)
	workers := 0
	var got *process.Process
	err := process.Execute(t.Context(), process.Command{
		Name: "keelson-test", Short: "tests", MetricsAddress: "127.0.0.1:1", Client: true,
		Flags: func(fs *pflag.FlagSet) { fs.IntVar(&workers, "workers", 1, "workers") },
		Run: func(ctx context.Context, p *process.Process) error {
			got = p
			p.Health.Ready("never", func(context.Context) error { return errors.New("no") })
			for path, want := range map[string]string{
				"/livez": "ok", "/readyz": "[-]never failed: no", "/metrics": "keelson_build_info{", "/version": `"version"`,
			} {
				if _, body := get(t, "http://"+address+path); !strings.Contains(body, want) {
					t.Errorf("%s: %s", path, body)
				}
			}
			if code, _ := get(t, "http://"+address+"/debug/pprof/"); code != 404 {
				t.Errorf("profiles without --profiling: %d", code)
			}
			return nil
		},
	}, []string{"--workers=7", "--server=a:1,b:2", "--server", "c", "--tls-ca=ca", "--tls-cert=crt", "--tls-key=key",
		"--metrics-bind-address", address, "--log-level=error"})
	if err != nil {
		t.Fatal(err)
	}
	c := got.Client
	if workers != 7 || strings.Join(c.Endpoints, " ") != "a:1 b:2 c" || c.CAFile != "ca" || c.CertFile != "crt" || c.KeyFile != "key" ||
		!strings.HasPrefix(c.UserAgent, "keelson-test/") || c.Logger == nil || got.Logger == nil {
		t.Errorf("workers %d, client %+v", workers, c)
	}
	if _, err := http.Get("http://" + address + "/livez"); err == nil {
		t.Error("the endpoint outlives the component")
	}
}

func TestProfilingAndNoEndpoint(t *testing.T) {
	address := freeAddress(t)
	err := process.Execute(t.Context(), process.Command{Name: "k", Run: func(context.Context, *process.Process) error {
		if code, _ := get(t, "http://"+address+"/debug/pprof/"); code != 200 {
			t.Errorf("profiles: %d", code)
		}
		return nil
	}}, []string{"--profiling", "--metrics-bind-address", address, "--log-level=error"})
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Execute(t.Context(), process.Command{Name: "k", Run: func(context.Context, *process.Process) error {
		return nil
	}}, []string{"--metrics-bind-address=0", "--log-level=error"}); err != nil {
		t.Error(err)
	}
}

func TestBadFlags(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, args := range map[string][]string{
		"--server is required":        nil,
		`--log-level "loud"`:          {"--server=a", "--log-level=loud"},
		`--log-format "xml"`:          {"--server=a", "--log-format=xml"},
		"unknown flag: --colour":      {"--colour"},
		"--metrics-bind-address":      {"--server=a", "--log-level=error", "--metrics-bind-address", l.Addr().String()},
		`unknown command "something"`: {"--server=a", "something"},
	} {
		err := process.Execute(t.Context(), process.Command{Name: "k", Client: true, Run: func(context.Context, *process.Process) error {
			t.Errorf("%v: the component ran", args)
			return nil
		}}, args)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestSubCommand(t *testing.T) {
	ran := false
	err := process.Execute(t.Context(), process.Command{
		Name: "k", Run: func(context.Context, *process.Process) error { return errors.New("the component ran") },
		Commands: []*cobra.Command{{Use: "issue", Run: func(*cobra.Command, []string) { ran = true }}},
	}, []string{"issue"})
	if err != nil || !ran {
		t.Errorf("%v, ran %v", err, ran)
	}
}

func TestErrorsAndTheContextsEnd(t *testing.T) {
	quiet := []string{"--log-level=fatal", "--metrics-bind-address=0"}
	broken := errors.New("broken")
	if err := process.Execute(t.Context(), process.Command{Name: "k", Run: func(context.Context, *process.Process) error {
		return broken
	}}, quiet); !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := process.Execute(ctx, process.Command{Name: "k", Run: func(ctx context.Context, _ *process.Process) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}, quiet); err != nil {
		t.Errorf("a regular end: %v", err)
	}
}

// TestMain lets the test binary be a component, for what only a process shows: signals and exit codes.
func TestMain(m *testing.M) {
	if mode := os.Getenv("KEELSON_TEST_COMPONENT"); mode != "" {
		process.Main(process.Command{Name: "component", MetricsAddress: "0", Run: func(ctx context.Context, p *process.Process) error {
			p.Logger.Info("running", zap.Any("client", client.Config{}.Endpoints))
			os.Stdout.WriteString("running\n")
			if mode == "fails" {
				return errors.New("broken")
			}
			<-ctx.Done()
			if mode == "hangs" {
				os.Stdout.WriteString("hanging\n")
				select {}
			}
			return ctx.Err()
		}})
		return
	}
	os.Exit(m.Run())
}

// component starts this binary as one and returns when it runs.
func component(t *testing.T, mode string) (cmd *exec.Cmd, out io.Reader, log *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe, "--log-format=json")
	cmd.Env = append(os.Environ(), "KEELSON_TEST_COMPONENT="+mode)
	log = &bytes.Buffer{}
	cmd.Stderr = log
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	expect(t, out, "running\n")
	return cmd, out, log
}

func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(r, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v", b, err)
	}
}

func TestSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd, _, log := component(t, "waits")
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after %v: %v\n%s", s, err, log)
		}
		for _, want := range []string{`"msg":"starting"`, `"logger":"component"`, `"msg":"stopping"`, `"msg":"stopped"`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("log lacks %s:\n%s", want, log)
			}
		}
	}
}

func TestSecondSignalDoesNotWait(t *testing.T) {
	cmd, out, _ := component(t, "hangs")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect(t, out, "hanging\n")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("after the second signal: %v", err)
	}
}

func TestExitCodeOfAFailure(t *testing.T) {
	cmd, _, log := component(t, "fails")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "component: broken") {
		t.Errorf("%v\n%s", err, log)
	}
}
