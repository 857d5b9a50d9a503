/*
 * header.c
 *		The `#option value` lines that a cached function begins with.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "function/header.h"
#include "function/slices.h"

/* The longest time to live: a hundred years. */
#define DC_MAX_TTL (INT64CONST(36525) * USECS_PER_DAY)

/* What an option's parser works with. */
typedef struct DcHeaderLine
{
	const char *name;
	char	   *value;			/* trimmed */
	const char *what;			/* for messages: option "ttl" in line 2 */
	DcFieldNumber argument;
	void	   *arg;
} DcHeaderLine;

typedef struct DcOptionParser
{
	const char *name;
	void		(*parse) (const DcHeaderLine *line, DcOptions *options);
} DcOptionParser;

static void
dc_bad_value(const DcHeaderLine *line, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has an invalid value: \"%s\"", line->what, line->value),
			 errhint("%s", hint)));
}

static void
dc_parse_ttl(const DcHeaderLine *line, DcOptions *options)
{
	const char *hint = "Write a positive interval of at most 100 years, such as \"5 minutes\", or \"infinity\".";
	MemoryContext context = CurrentMemoryContext;
	Datum		text = CStringGetDatum(line->value);
	Interval   *interval = NULL;
	double		span;

	if (pg_strcasecmp(line->value, "infinity") == 0)
	{
		options->ttl = DC_TTL_INFINITE;
		return;
	}
	PG_TRY();
	{
		interval = DatumGetIntervalP(DirectFunctionCall3(interval_in, text,
														 InvalidOid, -1));
	}
	PG_CATCH();
	{
		/* Say which option it is; interval_in() leaves nothing behind. */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		dc_bad_value(line, hint);
	}
	PG_END_TRY();

	span = (double) interval->time +
		((double) interval->day + (double) interval->month * DAYS_PER_MONTH) *
		USECS_PER_DAY;
	if (span <= 0 || span > DC_MAX_TTL)
		dc_bad_value(line, hint);
	options->ttl = (int64) span;
}

static void
dc_parse_key(const DcHeaderLine *line, DcOptions *options)
{
	options->key = dc_template_parse(line->value, line->what,
									 line->argument, line->arg);
}

/* Takes the next element of a list with commas, trimmed; NULL at its end. */
static char *
dc_next_element(const DcHeaderLine *line, char **rest)
{
	char	   *begin = *rest;
	char	   *end;

	if (begin == NULL)
		return NULL;
	end = begin;
	while (*end != '\0' && *end != ',')
		end += *end == '\\' && end[1] != '\0' ? 2 : 1;
	*rest = *end == ',' ? end + 1 : NULL;

	while (begin < end && isspace((unsigned char) *begin))
		begin++;
	while (end > begin && isspace((unsigned char) end[-1]))
		end--;
	if (begin == end)
		dc_bad_value(line, "Write a list of names with commas between them.");
	return pnstrdup(begin, end - begin);
}

static void
dc_parse_tags(const DcHeaderLine *line, DcOptions *options)
{
	char	   *rest = line->value;
	char	   *tag;

	while ((tag = dc_next_element(line, &rest)) != NULL)
		options->tags = lappend(options->tags,
								dc_template_parse(tag, line->what,
												  line->argument, line->arg));
}

static bool
dc_is_setting_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
	{
		if (!isalnum((unsigned char) *c) && strchr("_$.", *c) == NULL)
			return false;
	}
	return true;
}

static void
dc_parse_vary(const DcHeaderLine *line, DcOptions *options)
{
	char	   *rest = line->value;
	char	   *name;

	while ((name = dc_next_element(line, &rest)) != NULL)
	{
		if (!dc_is_setting_name(name))
			dc_bad_value(line, "Write names of settings, such as \"app.tenant_id\", with commas between them.");
		options->vary = lappend(options->vary, name);
	}
}

static void
dc_parse_slice(const DcHeaderLine *line, DcOptions *options)
{
	char	   *rest = line->value;
	char	   *slice;

	while ((slice = dc_next_element(line, &rest)) != NULL)
		options->slices = lappend(options->slices,
								  dc_slice_parse(slice, line->what,
												 line->argument, line->arg));
}

static void
dc_parse_cache_nulls(const DcHeaderLine *line, DcOptions *options)
{
	if (!parse_bool(line->value, &options->cache_nulls))
		dc_bad_value(line, "Write \"on\" or \"off\".");
}

static const DcOptionParser option_parsers[] = {
	{"ttl", dc_parse_ttl},
	{"key", dc_parse_key},
	{"tags", dc_parse_tags},
	{"vary", dc_parse_vary},
	{"slice", dc_parse_slice},
	{"cache_nulls", dc_parse_cache_nulls},
};

/* Cuts the line (without its '#') into name and value. */
static void
dc_split_line(char *text, DcHeaderLine *line)
{
	char	   *end;

	line->name = text;
	text += strcspn(text, " \t\r");
	if (*text != '\0')
		*text++ = '\0';
	text += strspn(text, " \t\r");
	end = text + strlen(text);
	while (end > text && isspace((unsigned char) end[-1]))
		*--end = '\0';
	line->value = text;
}

static void
dc_parse_line(char *text, int number, DcHeaderLine *line, DcOptions *options,
			  uint32 *seen)
{
	dc_split_line(text, line);
	line->what = psprintf("option \"%s\" in line %d", line->name, number);
	for (int i = 0; i < lengthof(option_parsers); i++)
	{
		if (strcmp(option_parsers[i].name, line->name) != 0)
			continue;
		if (*seen & (1 << i))
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("%s is given a second time", line->what),
					 errhint("Give each option once.")));
		*seen |= 1 << i;
		if (*line->value == '\0')
			dc_bad_value(line, "An option's value follows its name on the same line.");
		option_parsers[i].parse(line, options);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("unknown %s", line->what),
			 errhint("The options are ttl, key, tags, vary, slice and cache_nulls.")));
}

void
dc_header_parse(char *source, DcOptions *options,
				DcFieldNumber argument, void *arg)
{
	DcHeaderLine line = {.argument = argument,.arg = arg};
	uint32		seen = 0;
	int			number = 1;
	char	   *p = source;

	memset(options, 0, sizeof(*options));
	options->ttl = DC_TTL_DEFAULT;
	for (;; number++)
	{
		size_t		indent = strspn(p, " \t\r");
		size_t		length = strcspn(p, "\n");

		if (p[indent] == '#')
		{
			char	   *text = pnstrdup(p + indent + 1, length - indent - 1);

			dc_parse_line(text, number, &line, options, &seen);
			memset(p, ' ', length);
		}
		else if (indent < length)
			break;				/* the query */
		if (p[length] == '\0')
			break;
		p += length + 1;
	}
}
