package dynamodb

// foreignWords are words of other clients, and what to write here.
var foreignWords = map[string]string{
	"endpoint_url":      "write endpoint",
	"region_name":       "write region",
	"aws_region":        "write region",
	"table":             "the table stands before the '?': dynamodb://TABLE",
	"table_name":        "the table stands before the '?': dynamodb://TABLE",
	"access_key":        credentialsHint,
	"access_key_id":     credentialsHint,
	"aws_access_key_id": credentialsHint,
	"secret_key":        credentialsHint,
	"secret_access_key": credentialsHint,
	"session_token":     credentialsHint,
	"use_fips_endpoint": "set AWS_USE_FIPS_ENDPOINT=true, or write endpoint",
	"use_dualstack":     "set AWS_USE_DUALSTACK_ENDPOINT=true, or write endpoint",
}

const credentialsHint = "credentials never stand here; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write profile"
