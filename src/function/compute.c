/*
 * compute.c
 *		Runs a cached function's query.
 *
 * SPI keeps the plan and renews it when what it depends on changes.  Names of
 * arguments are resolved as in SQL functions, by the server's own parser
 * hooks.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "nodes/params.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/expandeddatum.h"

#include "function/compute.h"

static void
dc_not_a_select(const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			 errmsg("%s", problem),
			 hint == NULL ? 0 : errhint("%s", hint)));
}

static RawStmt *
dc_only_statement(const DcFunction *function)
{
	List	   *statements = pg_parse_query(function->query);

	if (statements == NIL)
		dc_not_a_select("body of cached function has no query",
						"After the option lines, write the SELECT whose result is to be cached.");
	if (list_length(statements) > 1)
		dc_not_a_select("body of cached function has more than one statement",
						"Write one SELECT; put the rest into a function that it calls.");
	return linitial_node(RawStmt, statements);
}

static void
dc_check_query(const Query *query)
{
	if (query->commandType != CMD_SELECT)
		dc_not_a_select("query of cached function must be a SELECT",
						"A cached function only reads: the body is SELECT, VALUES, TABLE or WITH ... SELECT.");
	if (query->hasModifyingCTE)
		dc_not_a_select("query of cached function must not modify data in WITH", NULL);
	if (query->rowMarks != NIL)
		dc_not_a_select("query of cached function must not lock rows",
						"Leave out FOR UPDATE or FOR SHARE.");
}

Query	   *
dc_analyze(const DcFunction *function)
{
	Query	   *query = parse_analyze_withcb(dc_only_statement(function),
											 function->query,
											 (ParserSetupHook) sql_fn_parser_setup,
											 function->parse_info, NULL);

	dc_check_query(query);
	return query;
}

/* SPI is connected. */
static SPIPlanPtr
dc_prepare(DcFunction *function)
{
	SPIPrepareOptions options = {
		.parserSetup = (ParserSetupHook) sql_fn_parser_setup,
		.parserSetupArg = function->parse_info,
		.cursorOptions = CURSOR_OPT_PARALLEL_OK,
	};
	SPIPlanPtr	plan;

	(void) dc_analyze(function);
	plan = SPI_prepare_extended(function->query, &options);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_extended failed: %s",
			 SPI_result_code_string(SPI_result));
	return plan;
}

static ParamListInfo
dc_parameters(const DcFunction *function, const NullableDatum *arguments)
{
	ParamListInfo parameters = makeParamList(function->n_args);

	for (int i = 0; i < function->n_args; i++)
	{
		ParamExternData *parameter = &parameters->params[i];
		const DcType *type = &function->args[i];

		parameter->isnull = arguments[i].isnull;
		parameter->value = MakeExpandedObjectReadOnly(arguments[i].value,
													  parameter->isnull,
													  type->length);
		parameter->pflags = PARAM_FLAG_CONST;
		parameter->ptype = type->oid;
	}
	return parameters;
}

static void
dc_error_context(void *arg)
{
	const DcFunction *function = arg;

	errcontext("cached function \"%s\"", function->name);
}

static void
dc_execute_plan(SPIPlanPtr plan, const SPIExecuteOptions *options)
{
	int			code = SPI_execute_plan_extended(plan, options);

	if (code < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s",
			 SPI_result_code_string(code));
}

void
dc_compute(DcFunction *function, FunctionCallInfo fcinfo, DcResult *result)
{
	DestReceiver *dest = dc_result_receiver(function, fcinfo, result);
	SPIExecuteOptions options = {
		.params = dc_parameters(function, fcinfo->args),
		.read_only = true,
		.must_return_tuples = true,
		.dest = dest,
	};
	ErrorContextCallback context = {
		.callback = dc_error_context,
		.arg = function,
		.previous = error_context_stack,
	};

	error_context_stack = &context;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (function->plan == NULL)
	{
		SPIPlanPtr	plan = dc_prepare(function);

		SPI_keepplan(plan);
		function->plan = plan;
	}
	dc_execute_plan(function->plan, &options);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	error_context_stack = context.previous;
	dest->rDestroy(dest);
}

void
dc_compute_nothing(DcFunction *function, const NullableDatum *arguments)
{
	SPIExecuteOptions options = {
		.params = dc_parameters(function, arguments),
		.read_only = true,
		.must_return_tuples = true,
		.dest = None_Receiver,
	};

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	dc_execute_plan(dc_prepare(function), &options);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}
