package dynamodb

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestConfigurationErrors: whatever keeps the SDK from configuring itself or from
// having credentials is named, with what to do; what the SDK says, which may name
// accounts or hold what a program printed, is not shown.
func TestConfigurationErrors(t *testing.T) {
	denying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>arn:aws:iam::123456789012:user/hunter2</Message></Error></ErrorResponse>`)
	}))
	defer denying.Close()
	folder := t.TempDir()
	token, profiles, missing := filepath.Join(folder, "token"), filepath.Join(folder, "config"), filepath.Join(folder, "missing")
	if err := os.WriteFile(token, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	const role = "arn:aws:iam::123456789012:role/agent"
	const sso = "sso_account_id=123456789012\nsso_role_name=r\n"
	type environment map[string]string
	for _, tt := range []struct {
		name        string
		environment environment
		profiles    string // the configuration file
		is          error
		want        string
	}{
		{"nothing", nil, "", driver.ErrUnavailable, "there are no AWS credentials; set AWS_ACCESS_KEY_ID"},
		{"web identity denied", environment{"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": role}, "", driver.ErrUnavailable,
			"AWS does not give the role of AWS_ROLE_ARN, or of role_arn in the profile, to this web identity (AccessDenied); check the role's trust policy"},
		{"web identity without its token", environment{"AWS_WEB_IDENTITY_TOKEN_FILE": missing, "AWS_ROLE_ARN": role}, "", driver.ErrUnavailable,
			"the token of the web identity cannot be read; check the file of AWS_WEB_IDENTITY_TOKEN_FILE"},
		{"web identity without a role", environment{"AWS_WEB_IDENTITY_TOKEN_FILE": token}, "", driver.ErrInvalid, "AWS_ROLE_ARN is not"},
		{"SSO, not logged in", nil, "[default]\nsso_session=s\n" + sso + "[sso-session s]\nsso_region=us-east-1\nsso_start_url=https://hunter2.awsapps.com/start\n",
			driver.ErrUnavailable, "run aws sso login"},
		{"SSO of the older form, not logged in", nil, "[default]\nsso_region=us-east-1\nsso_start_url=https://hunter2.awsapps.com/start\n" + sso,
			driver.ErrUnavailable, "run aws sso login"},
		{"SSO without its session", nil, "[default]\nsso_session=s\n" + sso, driver.ErrInvalid, "run aws configure sso"},
		{"login, not logged in", nil, "[default]\nlogin_session=" + role + "\n", driver.ErrUnavailable, "run aws login"},
		{"role denied", environment{"AWS_PROFILE": "p"}, "[profile p]\nrole_arn=" + role + "\nsource_profile=keys\n[profile keys]\naws_access_key_id=AKIDHUNTER2\naws_secret_access_key=hunter2\n",
			driver.ErrUnavailable, "AWS does not give the role of role_arn in the profile to these credentials (AccessDenied); check the role's name and its trust policy"},
		{"role of a missing profile", environment{"AWS_PROFILE": "p"}, "[profile p]\nrole_arn=" + role + "\nsource_profile=keys\n",
			driver.ErrInvalid, `takes its credentials from the profile "keys", which cannot be used; check source_profile`},
		{"program missing", nil, "[default]\ncredential_process=/nowhere/program --key hunter2\n", driver.ErrUnavailable,
			"the credential_process of the AWS profile failed (exit status 127); run it by hand"},
		{"program that prints something else", nil, "[default]\ncredential_process=echo hunter2\n", driver.ErrUnavailable,
			"prints something else than credentials in JSON; run it by hand"},
		{"program that prints too little", nil, `[default]` + "\n" + `credential_process=echo {"Version":1,"AccessKeyId":"hunter2"}` + "\n", driver.ErrUnavailable,
			"credential_process of the AWS profile"},
		{"container without its token", environment{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": missing}, "",
			driver.ErrUnavailable, "the credentials of this container cannot be fetched"},
		{"retry mode", environment{"AWS_RETRY_MODE": "legacy"}, "", driver.ErrInvalid, "AWS_RETRY_MODE, or retry_mode in the profile, is neither standard nor adaptive"},
		{"retry mode of a profile", nil, "[default]\nretry_mode=legacy\n", driver.ErrInvalid, "retry_mode in the profile, is neither standard nor adaptive"},
		{"attempts", environment{"AWS_MAX_ATTEMPTS": "hunter2"}, "", driver.ErrInvalid, "AWS_MAX_ATTEMPTS is no whole number"},
		{"certificates missing", environment{"AWS_CA_BUNDLE": missing}, "", driver.ErrInvalid, fmt.Sprintf("the file %q that the AWS configuration names cannot be read", missing)},
		{"certificates that are none", environment{"AWS_CA_BUNDLE": token}, "", driver.ErrInvalid, "the file of AWS_CA_BUNDLE, or of ca_bundle in the profile, holds no certificates in PEM"},
		{"profile missing", environment{"AWS_PROFILE": "typo"}, "[default]\n", driver.ErrInvalid, `there is no AWS profile "typo"`},
		{"something unknown", environment{"AWS_USE_FIPS_ENDPOINT": "hunter2"}, "", driver.ErrInvalid, "the AWS configuration cannot be read; check the variables AWS_..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, entry := range os.Environ() {
				if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
					t.Setenv(name, "")
					os.Unsetenv(name) // which the end of the test takes back
				}
			}
			t.Setenv("HOME", folder)
			t.Setenv("AWS_CONFIG_FILE", profiles)
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", missing)
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			t.Setenv("AWS_ENDPOINT_URL_STS", denying.URL)
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			if err := os.WriteFile(profiles, []byte(tt.profiles), 0o600); err != nil {
				t.Fatal(err)
			}
			b := openTable(t, "table", "http://127.0.0.1:1", "")
			err := within(t, 10*time.Second, func() error { return b.Ping(t.Context()) })
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Ping = %v, want %v with %q", err, tt.is, tt.want)
			}
			if said := fmt.Sprintf("%v %+v %q %#v", err, err, err, err); strings.Contains(strings.ToLower(said), "hunter2") || strings.Contains(err.Error(), "123456789012") {
				t.Errorf("the error shows what is secret: %s", said)
			}
			switch tt.name { // the cause is kept
			case "role denied", "web identity denied":
				if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDenied" {
					t.Errorf("%v has no APIError with AccessDenied", err)
				}
			case "profile missing":
				if _, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); !ok {
					t.Errorf("%v has no SharedConfigProfileNotExistError", err)
				}
			case "certificates missing", "SSO, not logged in":
				if !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%v does not match os.ErrNotExist", err)
				}
			}
		})
	}
}
