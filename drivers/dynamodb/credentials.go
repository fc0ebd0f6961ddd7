package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
)

// A sourceError says in our words what keeps the SDK from configuring itself or
// from having credentials. The SDK's own texts may name accounts, users and what a
// program printed, and are not shown; its error can be matched.
type sourceError struct {
	class error // of package driver
	text  string
	cause error // nil: none that may be handed on
}

func (e *sourceError) Error() string { return e.class.Error() + ": " + e.text }

func (e *sourceError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.class}
	}
	return []error{e.class, e.cause}
}

// signable looks whether there are credentials to sign a request with, which are
// cached once they have been found. The SDK would ask for them again and again
// until the time for the request is over, and its error would not say why.
func (op *operation) signable(ctx context.Context) error {
	if op.credentials == nil {
		return nil
	}
	if _, err := op.credentials.Retrieve(ctx); err != nil {
		return credentialsError(err, op.credentials.ProviderSources())
	}
	return nil
}

// loadError explains why the environment and the shared files make no
// configuration.
func loadError(err error) error {
	explained := &sourceError{class: driver.ErrInvalid, cause: err}
	said := err.Error()
	if role, ok := errors.AsType[config.SharedConfigAssumeRoleError](err); ok {
		explained.text = fmt.Sprintf("the role of an AWS profile takes its credentials from the profile %q, which cannot be used; check source_profile", role.Profile)
		return explained
	}
	if profile, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		explained.text = fmt.Sprintf("there is no AWS profile %q; check the word profile, AWS_PROFILE, and the files of AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE", profile.Profile)
		return explained
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		explained.text = fmt.Sprintf("the file %q that the AWS configuration names cannot be read (%v); check AWS_CA_BUNDLE, and ca_bundle in the profile", file.Path, file.Err)
		return explained
	}
	for _, known := range []struct{ said, text string }{
		{"CA bundle", "the file of AWS_CA_BUNDLE, or of ca_bundle in the profile, holds no certificates in PEM"},
		{"RetryMode", "AWS_RETRY_MODE, or retry_mode in the profile, is neither standard nor adaptive; take it out, or write standard"},
		{"AWS_MAX_ATTEMPTS", "AWS_MAX_ATTEMPTS is no whole number; take it out, or write 3"},
		{"max_attempts", "max_attempts in the profile is no whole number; take it out, or write 3"},
		{"role ARN", "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not; set it to the role to take on"},
		{"SSO session section", "the profile names an sso_session, and the configuration file has no such section; run aws configure sso"},
	} {
		if strings.Contains(said, known.said) {
			explained.text = known.text
			return explained
		}
	}
	explained.text = "the AWS configuration cannot be read; check the variables AWS_..., and the files of AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"
	return explained
}

// credentialsError explains why the sources that the configuration names give no
// credentials.
func credentialsError(err error, sources []aws.CredentialSource) error {
	from := func(any ...aws.CredentialSource) bool {
		return slices.ContainsFunc(any, func(s aws.CredentialSource) bool { return slices.Contains(sources, s) })
	}
	explained := &sourceError{class: driver.ErrUnavailable, cause: err}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		explained.cause = nil // of a limit of the driver's, and not of the caller's context
	}
	service, asked := errors.AsType[*smithy.OperationError](err)
	answer := "no answer came"
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		answer = api.ErrorCode()
	}
	switch {
	case asked && service.Operation() == "AssumeRoleWithWebIdentity":
		explained.text = "AWS does not give the role of AWS_ROLE_ARN, or of role_arn in the profile, to this web identity (" + answer + "); check the role's trust policy and the token's audience"
	case asked && service.Operation() == "AssumeRole":
		explained.text = "AWS does not give the role of role_arn in the profile to these credentials (" + answer + "); check the role's name and its trust policy"
	case from(aws.CredentialSourceProfileSSO, aws.CredentialSourceSSO, aws.CredentialSourceProfileSSOLegacy, aws.CredentialSourceSSOLegacy):
		explained.text = "nobody is logged in to the SSO session of the AWS profile, or the login has expired; run aws sso login with that profile"
	case from(aws.CredentialSourceProfileLogin, aws.CredentialSourceLogin):
		explained.text = "nobody is logged in to the AWS profile, or the login has expired; run aws login with that profile"
	case from(aws.CredentialSourceProfileProcess, aws.CredentialSourceProcess):
		explained.processError(err)
	case from(aws.CredentialSourceEnvVarsSTSWebIDToken, aws.CredentialSourceProfileSTSWebIDToken, aws.CredentialSourceSTSAssumeRoleWebID):
		explained.text = "the token of the web identity cannot be read; check the file of AWS_WEB_IDENTITY_TOKEN_FILE, or of web_identity_token_file in the profile"
	case from(aws.CredentialSourceHTTP):
		explained.text = "the credentials of this container cannot be fetched; check its task role or pod identity, and the variables AWS_CONTAINER_..."
	default:
		explained.text = "there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role"
	}
	return explained
}

// processError explains the failure of a program that prints credentials. What it
// has printed is neither shown nor handed on.
func (e *sourceError) processError(err error) {
	const program = "the credential_process of the AWS profile "
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		e.text, e.cause = fmt.Sprintf(program+"failed (%v); run it by hand, and check that it is installed", failed), failed
		return
	}
	if errors.As(err, new(*json.SyntaxError)) || errors.As(err, new(*json.UnmarshalTypeError)) {
		e.text, e.cause = program+"prints something else than credentials in JSON; run it by hand", nil
		return
	}
	e.text = program + "gives no credentials; run it by hand, and check that it is installed"
	if errors.As(err, new(*processcreds.ProviderError)) {
		e.cause = nil
	}
}
