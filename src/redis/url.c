/*
 * url.c
 *		Takes a Redis URL apart.
 *
 * The URL schemes are those that redis-cli and the client libraries know
 * (https://www.iana.org/assignments/uri-schemes/prov/redis).  Nothing here
 * allocates, throws or asks the server for anything, so that it can be built
 * and fuzzed without one.
 */
#include "postgres.h"

#include <ctype.h>

#include "redis/url.h"

#define DC_DEFAULT_PORT 6379
#define DC_MAX_DATABASE 999999

/* Part of the URL: from begin, up to end. */
typedef struct DcSpan
{
	const char *begin;
	const char *end;
} DcSpan;

static int
dc_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Writes the span, percent-decoded, to out; false if it cannot be. */
static bool
dc_url_decode(DcSpan span, char *out, size_t room, const char **problem)
{
	size_t		n = 0;

	for (const char *p = span.begin; p < span.end; p++)
	{
		int			c = (unsigned char) *p;

		if (c == '%')
		{
			int			high = span.end - p > 2 ? dc_hex_value(p[1]) : -1;
			int			low = high >= 0 ? dc_hex_value(p[2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
			{
				*problem = "After a \"%\" must stand two hexadecimal digits, and not 00.";
				return false;
			}
			c = high * 16 + low;
			p += 2;
		}
		if (n + 1 >= room)
		{
			*problem = "A part of the URL is too long.";
			return false;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static bool
dc_url_number(DcSpan span, int max, int *number)
{
	int64		n = 0;

	if (span.begin == span.end || span.end - span.begin > 9)
		return false;
	for (const char *p = span.begin; p < span.end; p++)
	{
		if (!isdigit((unsigned char) *p))
			return false;
		n = n * 10 + (*p - '0');
	}
	*number = (int) n;
	return n <= max;
}

/* The first of the character in the span, or its end. */
static const char *
dc_span_find(DcSpan span, char c)
{
	const char *p = memchr(span.begin, c, span.end - span.begin);

	return p == NULL ? span.end : p;
}

/* user[:password]; the colon of ":password" begins an empty user. */
static bool
dc_url_credentials(DcSpan span, DcUrl *url, const char **problem)
{
	const char *colon = dc_span_find(span, ':');
	DcSpan		user = {span.begin, colon};
	DcSpan		password = {Min(colon + 1, span.end), span.end};

	return dc_url_decode(user, url->user, sizeof(url->user), problem) &&
		dc_url_decode(password, url->password, sizeof(url->password), problem);
}

/* Takes "user:password@" off the front of the authority. */
static bool
dc_url_take_credentials(DcSpan *authority, DcUrl *url, const char **problem)
{
	const char *at = NULL;

	for (const char *p = authority->begin; p < authority->end; p++)
	{
		if (*p == '@')
			at = p;
	}
	if (at != NULL)
	{
		DcSpan		credentials = {authority->begin, at};

		authority->begin = at + 1;
		return dc_url_credentials(credentials, url, problem);
	}
	return true;
}

static bool
dc_url_host(DcSpan span, DcUrl *url, const char **problem)
{
	DcSpan		host = span;
	DcSpan		port;

	if (span.begin < span.end && *span.begin == '[')
	{
		host.begin++;
		host.end = dc_span_find(span, ']');
		if (host.end == span.end)
		{
			*problem = "The \"[\" of an IPv6 address is not closed.";
			return false;
		}
		port.begin = host.end + 1;
	}
	else
	{
		host.end = dc_span_find(span, ':');
		port.begin = host.end;
	}
	port.end = span.end;

	if (host.begin == host.end)
	{
		*problem = "It has no host name.";
		return false;
	}
	if (!dc_url_decode(host, url->host, sizeof(url->host), problem))
		return false;
	url->port = DC_DEFAULT_PORT;
	if (port.begin == port.end)
		return true;
	if (*port.begin++ != ':')
	{
		*problem = "After the host may only stand a port: \":6379\".";
		return false;
	}
	if (!dc_url_number(port, 65535, &url->port) || url->port == 0)
	{
		*problem = "The port must be a number from 1 to 65535; an IPv6 address stands in brackets.";
		return false;
	}
	return true;
}

static bool
dc_url_database(DcSpan span, DcUrl *url, const char **problem)
{
	if (dc_url_number(span, DC_MAX_DATABASE, &url->database))
		return true;
	*problem = "The database must be a number.";
	return false;
}

/* authority[/database] */
static bool
dc_url_parse_network(DcSpan rest, DcUrl *url, const char **problem)
{
	DcSpan		authority = {rest.begin, dc_span_find(rest, '/')};
	DcSpan		database = {Min(authority.end + 1, rest.end), rest.end};

	if (dc_span_find(rest, '?') != rest.end ||
		dc_span_find(rest, '#') != rest.end)
	{
		*problem = "It may have no \"?\" and no \"#\"; write them as %3F and %23.";
		return false;
	}
	return dc_url_take_credentials(&authority, url, problem) &&
		dc_url_host(authority, url, problem) &&
		(database.begin == database.end ||
		 dc_url_database(database, url, problem));
}

/* [credentials@]/path[?db=database] */
static bool
dc_url_parse_unix(DcSpan rest, DcUrl *url, const char **problem)
{
	const char *question = dc_span_find(rest, '?');
	DcSpan		query = {Min(question + 1, rest.end), rest.end};
	DcSpan		authority = {rest.begin, dc_span_find(rest, '/')};
	DcSpan		path = {authority.end, question};

	if (!dc_url_take_credentials(&authority, url, problem))
		return false;
	if (authority.begin != authority.end || path.begin >= path.end)
	{
		*problem = "The path of a unix socket is absolute: \"unix:///path\".";
		return false;
	}
	if (!dc_url_decode(path, url->path, sizeof(url->path), problem))
		return false;
	if (query.begin == query.end)
		return true;
	if (query.end - query.begin < 3 || strncmp(query.begin, "db=", 3) != 0)
	{
		*problem = "After the path of a unix socket may only stand \"?db=\" and a number.";
		return false;
	}
	query.begin += 3;
	return dc_url_database(query, url, problem);
}

/* Does the text begin so?  Moves *text past it. */
static bool
dc_url_scheme(const char **text, const char *scheme)
{
	size_t		length = strlen(scheme);

	for (size_t i = 0; i < length; i++)
	{
		if (tolower((unsigned char) (*text)[i]) != scheme[i])
			return false;
	}
	*text += length;
	return true;
}

bool
dc_url_parse(const char *text, DcUrl *url, const char **problem)
{
	DcSpan		rest;

	memset(url, 0, sizeof(*url));
	url->is_unix = dc_url_scheme(&text, "unix://");
	url->is_tls = !url->is_unix && dc_url_scheme(&text, "rediss://");
	if (!url->is_unix && !url->is_tls && !dc_url_scheme(&text, "redis://"))
	{
		*problem = "It must begin with redis://, rediss:// or unix://.";
		return false;
	}
	rest.begin = text;
	rest.end = text + strlen(text);
	return url->is_unix ? dc_url_parse_unix(rest, url, problem) :
		dc_url_parse_network(rest, url, problem);
}

void
dc_url_describe(const DcUrl *url, char *out)
{
	const char *format = strchr(url->host, ':') ? "[%s]:%d/%d" : "%s:%d/%d";

	if (url->is_unix)
		snprintf(out, DC_URL_DESCRIPTION, "%s?db=%d", url->path, url->database);
	else
		snprintf(out, DC_URL_DESCRIPTION, format, url->host, url->port,
				 url->database);
}
