package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/bridge"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/grpcweb"
)

// failureKey is the metadata that names what kept a call from Teleport.
const failureKey = "bridge-failure"

// errNoEndpoint says that nobody told where a cluster is.
var errNoEndpoint = errors.New("no endpoint is set for this cluster")

// notGRPCError says that an HTTP answer is not gRPC.
type notGRPCError struct {
	detail string
}

func (e *notGRPCError) Error() string { return e.detail }

// failed is the status of a call that did not get an answer.
func failed(err error, certificate *x509.Certificate) grpcweb.Status {
	failure := classify(err, certificate)
	name := strings.ToLower(strings.TrimPrefix(failure.String(), "FAILURE_"))
	return grpcweb.Status{
		Code:     connect.CodeUnavailable,
		Message:  err.Error(),
		Metadata: map[string]string{failureKey: name},
	}
}

// classify tells what kind of failure an error of the transport is. certificate is the client's own; it may be nil.
func classify(err error, certificate *x509.Certificate) pb.Failure {
	// First what is about the way there: it wraps errors that would be about Teleport otherwise.
	if failure := classifyRoute(err); failure != pb.Failure_FAILURE_UNSPECIFIED {
		return failure
	}
	if failure := classifyServerCertificate(err); failure != pb.Failure_FAILURE_UNSPECIFIED {
		return failure
	}
	var notGRPC *notGRPCError
	var notTLS tls.RecordHeaderError
	var protocol *protocolError
	var name *net.DNSError
	var proxy *proxyError
	var timeout net.Error
	switch {
	case errors.Is(err, errNoEndpoint):
		return pb.Failure_FAILURE_NO_ENDPOINT
	case errors.Is(err, errReplaced):
		return pb.Failure_FAILURE_BROKEN
	case errors.As(err, &notGRPC):
		return pb.Failure_FAILURE_NOT_GRPC
	case errors.As(err, &notTLS):
		return pb.Failure_FAILURE_NOT_TLS
	case errors.As(err, &protocol):
		return pb.Failure_FAILURE_PROTOCOL
	}
	if code, ok := alert(err); ok {
		return classifyAlert(code, certificate)
	}
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return pb.Failure_FAILURE_NAME
	case isAny(err, refusedNumbers):
		return pb.Failure_FAILURE_REFUSED
	case errors.As(err, &name), errors.As(err, &proxy),
		errors.Is(err, errConnectTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		isAny(err, unreachableNumbers), errors.As(err, &timeout) && timeout.Timeout():
		return pb.Failure_FAILURE_UNREACHABLE
	}
	// What is left happens to connections that had been made: a reset, an unexpected end, a server that goes away.
	return pb.Failure_FAILURE_BROKEN
}

// classifyRoute tells what keeps us from getting through what is before Teleport.
func classifyRoute(err error) pb.Failure {
	var balancer *balancerError
	var refused *upgradeError
	var certificate *balancerCertificateError
	switch {
	case errors.Is(err, errReplaced):
		return pb.Failure_FAILURE_BROKEN
	case errors.As(err, &balancer):
		return pb.Failure_FAILURE_LOAD_BALANCER
	case errors.As(err, &refused):
		return pb.Failure_FAILURE_UPGRADE_REFUSED
	case errors.As(err, &certificate):
		return pb.Failure_FAILURE_LOAD_BALANCER_CERTIFICATE
	default:
		return pb.Failure_FAILURE_UNSPECIFIED
	}
}

// The system's error numbers; Windows has its own ones for sockets.
var (
	refusedNumbers     = []syscall.Errno{syscall.ECONNREFUSED, 10061}
	unreachableNumbers = []syscall.Errno{
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT, 10051, 10060, 10065,
	}
)

func isAny(err error, numbers []syscall.Errno) bool {
	return slices.ContainsFunc(numbers, func(number syscall.Errno) bool { return errors.Is(err, number) })
}

// classifyServerCertificate tells what we do not like about the server's certificate.
func classifyServerCertificate(err error) pb.Failure {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return pb.Failure_FAILURE_SERVER_NAME
	case errors.As(err, &authority):
		return pb.Failure_FAILURE_UNKNOWN_AUTHORITY
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return pb.Failure_FAILURE_SERVER_EXPIRED
	case errors.As(err, &invalid), errors.As(err, &verification):
		// Such as a certificate that may not be a server's: whatever signed it did not mean it for this.
		return pb.Failure_FAILURE_UNKNOWN_AUTHORITY
	default:
		return pb.Failure_FAILURE_UNSPECIFIED
	}
}

// TLS alerts by number, see https://www.iana.org/assignments/tls-parameters/#tls-parameters-6.
const (
	alertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertCertificateRevoked     = 44
	alertCertificateExpired     = 45
	alertCertificateUnknown     = 46
	alertUnknownCA              = 48
	alertAccessDenied           = 49
	alertUnrecognizedName       = 112
	alertCertificateRequired    = 116
)

// classifyAlert tells what the server does not like about us.
func classifyAlert(code uint8, certificate *x509.Certificate) pb.Failure {
	switch code {
	case alertCertificateExpired:
		return pb.Failure_FAILURE_CERTIFICATE_EXPIRED
	case alertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked, alertCertificateUnknown,
		alertUnknownCA, alertAccessDenied, alertCertificateRequired:
		// Many servers do not say what is wrong with a certificate.
		if certificate != nil && time.Now().After(certificate.NotAfter) {
			return pb.Failure_FAILURE_CERTIFICATE_EXPIRED
		}
		return pb.Failure_FAILURE_CERTIFICATE_REFUSED
	case alertUnrecognizedName:
		return pb.Failure_FAILURE_SERVER_NAME
	default:
		// No common version, cipher or application protocol.
		return pb.Failure_FAILURE_PROTOCOL
	}
}

// alert is the number of the TLS alert that the server sent, if err is one.
func alert(err error) (uint8, bool) {
	var exported tls.AlertError
	if errors.As(err, &exported) {
		return uint8(exported), true
	}
	// Outside of QUIC, crypto/tls wraps a number of a type that it does not export into such an error.
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" || remote.Err == nil {
		return 0, false
	}
	value := reflect.ValueOf(remote.Err)
	if value.Kind() != reflect.Uint8 {
		return 0, false
	}
	return uint8(value.Uint()), true
}
