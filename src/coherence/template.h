/*
 * template.h
 *		Text with {fields}: the keys and tags of entries, the patterns of
 *		triggers.
 */
#ifndef DC_TEMPLATE_H
#define DC_TEMPLATE_H

#include "lib/stringinfo.h"

/*
 * `text {field} text {field|instead of NULL}`; a backslash takes the next
 * character literally.
 */
typedef struct DcTemplate
{
	int			n_parts;
	struct DcTemplatePart *parts;
} DcTemplate;

/* What the text is for: in a pattern, literal backslashes are kept. */
typedef enum DcTemplateUse
{
	DC_TEMPLATE_NAME,
	DC_TEMPLATE_PATTERN,
} DcTemplateUse;

/* Returns the number of the field, or -1 if there is none of that name. */
typedef int (*DcFieldNumber) (const char *name, void *arg);

/* Supplies a field's value. */
typedef struct DcFieldValue
{
	Datum		value;
	bool		isnull;
	bool		any;			/* unknown: in a pattern, any value */
	Oid			type;
} DcFieldValue;
typedef DcFieldValue (*DcFieldLookup) (int field, void *arg);

/*
 * Allocates in the current context.  What is "option \"key\"" or the like, for
 * the errors: a brace that is not closed, a field that does not exist.
 */
extern DcTemplate *dc_template_parse(const char *text, const char *what,
									 DcFieldNumber number, void *arg);
extern bool dc_template_has_fields(const DcTemplate *template);

/* Appends the text with the fields' values to out. */
extern void dc_template_expand(const DcTemplate *template, DcTemplateUse use,
							   DcFieldLookup lookup, void *arg,
							   StringInfo out);

/* Appends one value as it stands in such a text. */
extern void dc_template_append(const DcFieldValue *field, DcTemplateUse use,
							   const char *when_null, StringInfo out);

#endif							/* DC_TEMPLATE_H */
