// cAdvisor for machines that cannot pull its image: the libraries of the same release, of which only the command is not
// published as a Go module. It serves /metrics and /healthz; the web pages and the storage drivers are left out.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/google/cadvisor/lib/cache/memory"
	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/manager"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/google/cadvisor/lib/utils/sysfs"
	"github.com/google/cadvisor/lib/version"
	"github.com/google/cadvisor/utils/oomparser"

	// What runs containers and where their files are: each registers itself.
	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/lib/container/containerd/install"
	_ "github.com/google/cadvisor/lib/container/systemd/install"
	_ "github.com/google/cadvisor/lib/fs/btrfs/install"
	_ "github.com/google/cadvisor/lib/fs/overlay/install"
	_ "github.com/google/cadvisor/lib/fs/tmpfs/install"
	_ "github.com/google/cadvisor/lib/fs/vfs/install"
)

// outOfMemory counts kills by container from the kernel's log; the library reports none itself.
type outOfMemory struct {
	manager.Manager
	lock  sync.Mutex
	kills map[string]uint64
}

func (counter *outOfMemory) watch() {
	parser, err := oomparser.New()
	if err != nil {
		klog.Warningf("container_oom_events_total stays 0, the kernel's log cannot be read: %v", err)
		return
	}
	events := make(chan *oomparser.OomInstance, 10)
	go parser.StreamOoms(events)
	for event := range events {
		counter.lock.Lock()
		counter.kills[event.ContainerName]++
		counter.lock.Unlock()
	}
}

// GetRequestedContainersInfo is what the collector of metrics asks at every scrape.
func (counter *outOfMemory) GetRequestedContainersInfo(name string, options info.RequestOptions) (map[string]*info.ContainerInfo, error) {
	found, err := counter.Manager.GetRequestedContainersInfo(name, options)
	counter.lock.Lock()
	defer counter.lock.Unlock()
	for _, each := range found {
		for _, sample := range each.Stats {
			sample.OOMEvents = counter.kills[each.Name]
		}
	}
	return found, err
}

func main() {
	disabled := container.MetricSet{}
	// The libraries define the other flags, among them -docker, -docker_only and -housekeeping_interval.
	port := flag.Int("port", 8080, "port to listen on")
	address := flag.String("listen_ip", "", "address to listen on; all when empty")
	allLabels := flag.Bool("store_container_labels", true, "make every container label a label of its metrics")
	someLabels := flag.String("whitelisted_container_labels", "", "container labels to keep when not all are, comma-separated")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Var(&disabled, "disable_metrics", "metrics to leave out, comma-separated: "+container.AllMetrics.String())
	klog.InitFlags(nil)
	flag.Parse()
	if *showVersion {
		fmt.Printf("cAdvisor version %s\n", version.Info["version"])
		return
	}

	included := container.AllMetrics.Difference(disabled)
	containers, err := manager.New(memory.New(2*time.Minute, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags,
		included, []string{""}, []string{""}, "", 0)
	if err != nil {
		log.Fatal(err)
	}
	counter := &outOfMemory{Manager: containers, kills: map[string]uint64{}}
	go counter.watch()
	labels := metrics.DefaultContainerLabels
	if !*allLabels {
		labels = metrics.BaseContainerLabels(strings.Split(*someLabels, ","))
	}
	latest := info.RequestOptions{IdType: info.TypeName, Count: 1, Recursive: true}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(counter, labels, included, clock.RealClock{}, latest),
		metrics.NewPrometheusMachineCollector(counter, included),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprint(answer, "ok") })

	if err := containers.Start(); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { <-stop; os.Exit(0) }()
	log.Fatal(http.ListenAndServe(fmt.Sprintf("%s:%d", *address, *port), nil))
}
