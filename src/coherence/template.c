/*
 * template.c
 *		Text with {fields}: the keys and tags of entries, the patterns of
 *		triggers.
 *
 * A key that one session writes must be met by the pattern that another
 * makes of the same value, so values are printed under fixed settings,
 * whatever the session's DateStyle, TimeZone and so on: ISO dates, UTC.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "coherence/template.h"

typedef struct DcTemplatePart
{
	char	   *literal;		/* as written; NULL for a field */
	int			field;
	char	   *when_null;
} DcTemplatePart;

typedef struct DcTemplateParser
{
	const char *what;
	const char *p;
	DcFieldNumber number;
	void	   *arg;
} DcTemplateParser;

/* Copies up to one of the stop characters, which escapes hide, or the end. */
static char *
dc_template_take(DcTemplateParser *parser, const char *stops)
{
	const char *begin = parser->p;

	while (*parser->p != '\0' && strchr(stops, *parser->p) == NULL)
	{
		if (*parser->p == '\\' && parser->p[1] != '\0')
			parser->p++;
		parser->p++;
	}
	return pnstrdup(begin, parser->p - begin);
}

/* Parses what stands between the braces. */
static DcTemplatePart
dc_template_field(DcTemplateParser *parser)
{
	DcTemplatePart part = {.when_null = "null"};
	char	   *name;

	parser->p++;
	name = dc_template_take(parser, "|}");
	if (*parser->p == '|')
	{
		parser->p++;
		part.when_null = dc_template_take(parser, "}");
	}
	if (*parser->p != '}')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s has an unclosed \"{\"", parser->what),
				 errhint("Close it with \"}\", or write \"\\{\" for the character itself.")));
	parser->p++;
	part.field = parser->number(name, parser->arg);
	if (part.field < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s names \"%s\", which does not exist", parser->what, name),
				 errhint("Between braces stands the name of an argument, in a trigger's pattern that of a column.")));
	return part;
}

DcTemplate *
dc_template_parse(const char *text, const char *what,
				  DcFieldNumber number, void *arg)
{
	DcTemplateParser parser = {
		.what = what,.p = text,.number = number,.arg = arg
	};
	DcTemplate *template = palloc(sizeof(DcTemplate));
	int			max_parts = 1;

	/* Each brace begins a field and may be followed by a literal. */
	for (const char *c = text; *c != '\0'; c++)
		max_parts += *c == '{' ? 2 : 0;
	template->n_parts = 0;
	template->parts = palloc0(max_parts * sizeof(DcTemplatePart));

	while (*parser.p != '\0')
	{
		DcTemplatePart *part = &template->parts[template->n_parts++];

		if (*parser.p == '{')
			*part = dc_template_field(&parser);
		else
			part->literal = dc_template_take(&parser, "{");
	}
	return template;
}

bool
dc_template_has_fields(const DcTemplate *template)
{
	for (int i = 0; i < template->n_parts; i++)
	{
		if (template->parts[i].literal == NULL)
			return true;
	}
	return false;
}

/*
 * The settings that change how a value prints, and how it is to be printed.
 * Dates, times and floats depend on the first few only.
 */
static const char *const canonical_settings[][2] = {
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	{"xmlbinary", "base64"},
	{"search_path", "pg_catalog"},
};

#define DC_TIME_AND_FLOAT_SETTINGS 4

/* On how many of these does the type's output depend? */
static int
dc_settings_of(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case NAMEOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case OIDOID:
		case UUIDOID:
		case NUMERICOID:
		case JSONOID:
		case JSONBOID:
			return 0;
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return DC_TIME_AND_FLOAT_SETTINGS;
		default:
			return get_typtype(type) == TYPTYPE_ENUM ? 0 :
				lengthof(canonical_settings);
	}
}

/*
 * Equal values of these types may print differently: 5 and 5.00, 0 and -0, and
 * what is padded with blanks.
 */
static Datum
dc_canonical_value(const DcFieldValue *field)
{
	switch (field->type)
	{
		case NUMERICOID:
			return DirectFunctionCall1(numeric_trim_scale, field->value);
		case BPCHAROID:
			return DirectFunctionCall1(rtrim1, field->value);
		case FLOAT4OID:
			return Float4GetDatum(DatumGetFloat4(field->value) + 0.0f);
		case FLOAT8OID:
			return Float8GetDatum(DatumGetFloat8(field->value) + 0.0);
		default:
			return field->value;
	}
}

static char *
dc_canonical_output(const DcFieldValue *field)
{
	Oid			output;
	bool		is_varlena;
	int			n_settings = dc_settings_of(field->type);
	int			nest_level;
	char	   *text;

	getTypeOutputInfo(field->type, &output, &is_varlena);
	if (n_settings == 0)
		return OidOutputFunctionCall(output, dc_canonical_value(field));

	nest_level = NewGUCNestLevel();
	for (int i = 0; i < n_settings; i++)
	{
		const char *name = canonical_settings[i][0];
		const char *wanted = canonical_settings[i][1];

		if (strcmp(GetConfigOption(name, false, false), wanted) != 0)
			set_config_option(name, wanted, PGC_USERSET, PGC_S_SESSION,
							  GUC_ACTION_SAVE, true, 0, false);
	}
	text = OidOutputFunctionCall(output, dc_canonical_value(field));
	AtEOXact_GUC(true, nest_level);
	return text;
}

/* A pattern keeps its escapes and wildcards; a name has none. */
static void
dc_append_literal(StringInfo out, const char *literal, DcTemplateUse use)
{
	if (use == DC_TEMPLATE_PATTERN)
	{
		appendStringInfoString(out, literal);
		return;
	}
	for (const char *c = literal; *c != '\0'; c++)
	{
		if (*c == '\\' && c[1] != '\0')
			c++;
		appendStringInfoChar(out, *c);
	}
}

/* In a pattern a value means itself, whatever characters it has. */
static void
dc_append_value(StringInfo out, const char *value, DcTemplateUse use)
{
	for (const char *c = value; *c != '\0'; c++)
	{
		if (use == DC_TEMPLATE_PATTERN && strchr("*?[]\\", *c) != NULL)
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *c);
	}
}

void
dc_template_append(const DcFieldValue *field, DcTemplateUse use,
				   const char *when_null, StringInfo out)
{
	if (field->any)
		appendStringInfoChar(out, '*');
	else if (field->isnull)
		dc_append_literal(out, when_null, use);
	else
		dc_append_value(out, dc_canonical_output(field), use);
}

void
dc_template_expand(const DcTemplate *template, DcTemplateUse use,
				   DcFieldLookup lookup, void *arg, StringInfo out)
{
	for (int i = 0; i < template->n_parts; i++)
	{
		const DcTemplatePart *part = &template->parts[i];

		if (part->literal != NULL)
			dc_append_literal(out, part->literal, use);
		else
		{
			DcFieldValue field = lookup(part->field, arg);

			dc_template_append(&field, use, part->when_null, out);
		}
	}
}
