package dynamodb

import (
	"net/url"
	"strings"
)

// region is the region to ask, "" for that of the SDK's chain.
func (c Config) region() string {
	if _, region, ok := parseARN(c.Table); ok {
		return region
	}
	return c.Region
}

// parseARN returns what the ARN of a table says, and whether it is one; a table
// that is no ARN is a name.
func parseARN(table string) (name, region string, ok bool) {
	parts := strings.SplitN(table, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return table, "", false
	}
	name, found := strings.CutPrefix(parts[5], "table/")
	ok = found && isName(parts[1], 3, 32) && parts[2] == "dynamodb" && isName(parts[3], 1, 64) && len(parts[4]) == 12 && isName(name, 3, 255)
	for _, digit := range parts[4] {
		ok = ok && '0' <= digit && digit <= '9'
	}
	return name, parts[3], ok
}

// ofAWS reports whether a URL is that of an endpoint of AWS, which takes requests
// for one region only.
func ofAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}
