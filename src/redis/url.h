/*
 * url.h
 *		Where a Redis server is, and who asks, as a URL says it.
 */
#ifndef DC_URL_H
#define DC_URL_H

/* Room for each part, with the terminating zero. */
#define DC_URL_HOST 256
#define DC_URL_PATH 108			/* what a unix socket's address holds */
#define DC_URL_NAME 256

typedef struct DcUrl
{
	bool		is_unix;
	bool		is_tls;
	int			port;
	int			database;
	char		host[DC_URL_HOST];	/* name or address, without brackets */
	char		path[DC_URL_PATH];
	char		user[DC_URL_NAME];	/* empty: none */
	char		password[DC_URL_NAME];	/* empty: none */
} DcUrl;

/* Room for what dc_url_describe() writes. */
#define DC_URL_DESCRIPTION (DC_URL_HOST + 64)

/*
 * redis://[user[:password]@]host[:port][/database], the same with rediss for
 * TLS, or unix://[user[:password]@]/path[?db=database].  Parts may be
 * percent-encoded.  False, with a sentence about what is wrong in *problem,
 * if it is no such URL; the sentence quotes nothing of it.
 */
extern bool dc_url_parse(const char *text, DcUrl *url, const char **problem);

/* Names the server, without user and password. */
extern void dc_url_describe(const DcUrl *url, char *out);

#endif							/* DC_URL_H */
