/*
 * url.c
 *		Fuzz target: any text as dashboard_cache.redis_url.
 *
 * What is taken apart must be within its bounds, and must come out the same
 * when it is put together again with every character percent-encoded.
 */
#include "postgres.h"

#include <ctype.h>

#include "redis/url.h"
#include "server.h"

/* Room for a URL whose parts are encoded. */
#define ENCODED_URL (16 + 3 * sizeof(DcUrl))

/* Appends the part, but for what may stay as it is. */
static char *
put_encoded(char *to, const char *part, const char *plain)
{
	for (; *part != '\0'; part++)
	{
		if (strchr(plain, *part) != NULL)
			*to++ = *part;
		else
			to += sprintf(to, "%%%02x", (unsigned char) *part);
	}
	*to = '\0';
	return to;
}

static void
put_together(const DcUrl *url, char *text)
{
	text += sprintf(text, "%s://", url->is_unix ? "unix" :
					url->is_tls ? "rediss" : "redis");
	if (url->user[0] != '\0' || url->password[0] != '\0')
	{
		text = put_encoded(text, url->user, "");
		*text++ = ':';
		text = put_encoded(text, url->password, "");
		*text++ = '@';
	}
	if (url->is_unix)
	{
		text = put_encoded(text, url->path, "/");
		sprintf(text, "?db=%d", url->database);
	}
	else
	{
		text = put_encoded(text, url->host, "");
		sprintf(text, ":%d/%d", url->port, url->database);
	}
}

static void
check_parts(const DcUrl *url)
{
	CHECK(memchr(url->host, '\0', sizeof(url->host)) != NULL);
	CHECK(memchr(url->path, '\0', sizeof(url->path)) != NULL);
	CHECK(memchr(url->user, '\0', sizeof(url->user)) != NULL);
	CHECK(memchr(url->password, '\0', sizeof(url->password)) != NULL);
	CHECK(url->database >= 0);
	if (url->is_unix)
	{
		CHECK(!url->is_tls && url->host[0] == '\0');
		CHECK(url->path[0] == '/');
	}
	else
	{
		CHECK(url->host[0] != '\0' && url->path[0] == '\0');
		CHECK(url->port >= 1 && url->port <= 65535);
	}
}

static void
check_round_trip(const DcUrl *url)
{
	DcUrl		again;
	const char *problem = NULL;
	char		text[ENCODED_URL];

	put_together(url, text);
	CHECK(dc_url_parse(text, &again, &problem));
	CHECK(memcmp(url, &again, sizeof(again)) == 0);
}

/* It is shown and logged, so it must not depend on what is secret. */
static void
check_description(const DcUrl *url)
{
	DcUrl		public = *url;
	char		described[DC_URL_DESCRIPTION];
	char		public_described[DC_URL_DESCRIPTION];

	memset(public.user, 0, sizeof(public.user));
	memset(public.password, 0, sizeof(public.password));
	dc_url_describe(url, described);
	dc_url_describe(&public, public_described);
	CHECK(strcmp(described, public_described) == 0);
	CHECK(strlen(described) < sizeof(described));
	CHECK(strstr(described, url->is_unix ? url->path : url->host) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	DcUrl		url;
	const char *problem = NULL;
	char	   *text = palloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (dc_url_parse(text, &url, &problem))
	{
		check_parts(&url);
		check_round_trip(&url);
		check_description(&url);
	}
	else
		CHECK(problem != NULL && problem[0] != '\0');
	free_all();
	return 0;
}
