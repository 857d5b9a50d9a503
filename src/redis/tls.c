/*
 * tls.c
 *		TLS on a socket that does not block, by OpenSSL 1.1.1 or 3.
 *
 * The server's certificate has to be of a known authority and, unless the
 * settings say otherwise, has to name the host of the URL (RFC 6125, RFC
 * 9110 section 4.3.4), which OpenSSL checks as a part of the handshake.
 *
 * OpenSSL's objects are malloc'd.  Nothing here throws, so none is lost.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "redis/tls.h"
#include "settings.h"

struct DcTls
{
	SSL_CTX    *context;
	SSL		   *session;
};

/* Says what OpenSSL complained of. */
static void
dc_tls_error(const char *doing, char *error, Size error_room)
{
	unsigned long code = ERR_get_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

#ifdef ERR_SYSTEM_ERROR
	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
#endif
	if (reason != NULL)
		snprintf(error, error_room, "%s: %s", doing, reason);
	else if (code != 0)
		snprintf(error, error_room, "%s: OpenSSL error %lu", doing, code);
	else
		snprintf(error, error_room, "%s: connection closed", doing);
	ERR_clear_error();
}

static bool
dc_is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 ||
		inet_pton(AF_INET6, host, &address) == 1;
}

/* A key that needs a pass phrase cannot be used: there is nobody to ask. */
static int
dc_tls_no_passphrase(char *out, int room, int writing, void *arg)
{
	return 0;
}

/* Whom the server may be. */
static bool
dc_tls_load_authorities(SSL_CTX *context)
{
	if (dc_redis_tls_verify == DC_TLS_VERIFY_NONE)
		return true;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (dc_redis_tls_ca_file[0] == '\0')
		return SSL_CTX_set_default_verify_paths(context) == 1;
	return SSL_CTX_load_verify_locations(context, dc_redis_tls_ca_file,
										 NULL) == 1;
}

/* Who we are, if there is a certificate. */
static bool
dc_tls_load_certificate(SSL_CTX *context)
{
	if (dc_redis_tls_cert_file[0] == '\0')
		return true;
	return SSL_CTX_use_certificate_chain_file(context,
											  dc_redis_tls_cert_file) == 1 &&
		SSL_CTX_use_PrivateKey_file(context, dc_redis_tls_key_file,
									SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_check_private_key(context) == 1;
}

static bool
dc_tls_expect_host(SSL *session, const char *host)
{
	if (!dc_is_address(host))
	{
		return SSL_set_tlsext_host_name(session, host) == 1 &&
			(dc_redis_tls_verify != DC_TLS_VERIFY_FULL ||
			 SSL_set1_host(session, host) == 1);
	}
	return dc_redis_tls_verify != DC_TLS_VERIFY_FULL ||
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1;
}

static bool
dc_tls_set_up(DcTls *tls, int socket, const DcUrl *url, char *error,
			  Size error_room)
{
	const char *doing = "could not set up TLS";

	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->context == NULL ||
		SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
		goto failed;
	SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(tls->context, dc_tls_no_passphrase);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
	/* Replies say themselves where they end. */
	SSL_CTX_set_options(tls->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
	doing = "could not load dashboard_cache.redis_tls_ca_file";
	if (!dc_tls_load_authorities(tls->context))
		goto failed;
	doing = "could not load dashboard_cache.redis_tls_cert_file and redis_tls_key_file";
	if (!dc_tls_load_certificate(tls->context))
		goto failed;
	doing = "could not set up TLS";
	tls->session = SSL_new(tls->context);
	if (tls->session != NULL &&
		SSL_set_fd(tls->session, socket) == 1 &&
		dc_tls_expect_host(tls->session, url->host))
		return true;

failed:
	dc_tls_error(doing, error, error_room);
	return false;
}

DcTls	   *
dc_tls_new(int socket, const DcUrl *url, char *error, Size error_room)
{
	DcTls	   *tls = calloc(1, sizeof(DcTls));

	ERR_clear_error();
	if (tls == NULL)
		strlcpy(error, "out of memory", error_room);
	else if (!dc_tls_set_up(tls, socket, url, error, error_room))
	{
		dc_tls_free(tls);
		tls = NULL;
	}
	return tls;
}

void
dc_tls_free(DcTls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->session);
	SSL_CTX_free(tls->context);
	free(tls);
}

/* What an operation's result means; its error, if it is one, is written. */
static DcIo
dc_tls_outcome(DcTls *tls, int result, const char *doing, char *error,
			   Size error_room)
{
	switch (SSL_get_error(tls->session, result))
	{
		case SSL_ERROR_NONE:
			return DC_IO_DONE;
		case SSL_ERROR_WANT_READ:
			return DC_IO_WANTS_READ;
		case SSL_ERROR_WANT_WRITE:
			return DC_IO_WANTS_WRITE;
		case SSL_ERROR_ZERO_RETURN:
			return DC_IO_CLOSED;
		case SSL_ERROR_SYSCALL:
			if (ERR_peek_error() == 0)
				return DC_IO_CLOSED;
			break;
		default:
			break;
	}
	dc_tls_error(doing, error, error_room);
	return DC_IO_FAILED;
}

DcIo
dc_tls_handshake(DcTls *tls, char *error, Size error_room)
{
	DcIo		outcome;
	long		verified;

	ERR_clear_error();
	outcome = dc_tls_outcome(tls, SSL_connect(tls->session), "TLS handshake",
							 error, error_room);
	verified = SSL_get_verify_result(tls->session);
	if (outcome == DC_IO_FAILED && verified != X509_V_OK)
		snprintf(error, error_room, "TLS handshake: %s",
				 X509_verify_cert_error_string(verified));
	return outcome;
}

DcIo
dc_tls_send(DcTls *tls, const char *bytes, Size size, Size *done, char *error,
			Size error_room)
{
	int			result;

	ERR_clear_error();
	result = SSL_write(tls->session, bytes, (int) Min(size, INT_MAX));
	*done = Max(result, 0);
	return dc_tls_outcome(tls, result, "TLS", error, error_room);
}

DcIo
dc_tls_receive(DcTls *tls, char *bytes, Size room, Size *done, char *error,
			   Size error_room)
{
	int			result;

	ERR_clear_error();
	result = SSL_read(tls->session, bytes, (int) Min(room, INT_MAX));
	*done = Max(result, 0);
	return dc_tls_outcome(tls, result, "TLS", error, error_room);
}
