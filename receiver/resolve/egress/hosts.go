package egress

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// awsHost matches S3's data endpoints: virtual-hosted and path style, each region, dual-stack and
// FIPS forms, the older dash form, and China's partition. Website, VPC and access-point endpoints
// are not among them.
var awsHost = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9_.-]*\.)?s3(?:` +
	`\.amazonaws\.com|` +
	`(?:-fips)?(?:\.dualstack)?[.-]` + awsRegion + `\.amazonaws\.com|` +
	`(?:\.dualstack)?\.cn-[a-z]+-[0-9]\.amazonaws\.com\.cn)$`)

const awsRegion = `(?:af|ap|ca|eu|il|me|mx|sa|us)(?:-gov)?-[a-z]+-[0-9]{1,2}`

// wellKnown says whether host (lower case) is a data endpoint of AWS S3, Google Cloud Storage or
// Azure Blob.
func wellKnown(host string) bool {
	return awsHost.MatchString(host) ||
		host == "storage.googleapis.com" || strings.HasSuffix(host, ".storage.googleapis.com") ||
		strings.HasSuffix(host, ".blob.core.windows.net")
}

// hostForm: letters, digits, '-' and '_' in labels of 1 to 63, as bucket names need them.
var hostForm = regexp.MustCompile(`^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// numericEnd: a last label that some resolver takes for a part of an IPv4 address.
var numericEnd = regexp.MustCompile(`(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$`)

func matches(pattern, host string) bool {
	pattern = strings.ToLower(pattern)
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		return len(host) > len(suffix)+1 && strings.HasSuffix(host, "."+suffix)
	}
	return host == pattern
}

// accepted says whether a policy's own patterns or, where it has none, the well-known stores accept
// host.
func accepted(policy webhook.FetchPolicy, host string) bool {
	if len(policy.Hosts) == 0 {
		return wellKnown(host)
	}
	return slices.ContainsFunc(policy.Hosts, func(p string) bool { return matches(p, host) })
}

// optedIn says whether a policy names this very host and port as private. host has no brackets.
func optedIn(policy webhook.FetchPolicy, host string, port uint16) bool {
	name := net.JoinHostPort(host, strconv.Itoa(int(port)))
	return slices.ContainsFunc(policy.Private, func(p string) bool { return strings.EqualFold(p, name) })
}

// CheckPolicy returns a webhook.ErrInvalid that names the first entry of a policy that can never
// match or would match too much, and what is accepted instead; or nil.
func CheckPolicy(policy webhook.FetchPolicy) error {
	for _, p := range policy.Hosts {
		suffix, wild := strings.CutPrefix(strings.ToLower(p), "*.")
		if !hostForm.MatchString(suffix) || numericEnd.MatchString(suffix) || wild && !strings.Contains(suffix, ".") {
			return fmt.Errorf("%w: fetch host %q: use a host name such as store.example.com, or *.example.com",
				webhook.ErrInvalid, p)
		}
	}
	for _, p := range policy.Private {
		if !privateForm(p) {
			return fmt.Errorf("%w: private fetch target %q: use an exact host:port such as minio.internal:9000",
				webhook.ErrInvalid, p)
		}
	}
	if policy.BaseURL != "" {
		base, err := url.Parse(policy.BaseURL)
		if err != nil || base.RawQuery != "" || base.Fragment != "" {
			return fmt.Errorf("%w: fetch base URL: use a URL without query such as https://langsmith.example.com/api",
				webhook.ErrInvalid)
		}
		if _, refusal := parseTarget(policy.BaseURL, policy, true); refusal != nil {
			return fmt.Errorf("%w: fetch base URL: %s", webhook.ErrInvalid, refusal.Message)
		}
	}
	if policy.MaxBytes < 0 {
		return fmt.Errorf("%w: fetch max_bytes %d: use a positive number of bytes", webhook.ErrInvalid, policy.MaxBytes)
	}
	return nil
}

func privateForm(entry string) bool {
	host, port, err := net.SplitHostPort(entry)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return false
	}
	_, refusal := checkHost(strings.ToLower(host))
	return refusal == nil
}
