/*
 * reply.c
 *		Makes the replies that hiredis's reader finds into DcReplys.
 *
 * The reader checks the protocol and how deep arrays nest.  How large one may
 * announce to be is limited here: the memory for it is taken at once.  NULL
 * tells the reader that there was no memory, which ends it.
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "redis/reply.h"

/* More elements than these no reply to our commands has. */
#define DC_MAX_ELEMENTS 100000

#if HIREDIS_MAJOR >= 1
typedef size_t DcElementCount;
#else
typedef int DcElementCount;
#endif

static void *
dc_reply_alloc(const redisReadTask *task, Size size)
{
	return MemoryContextAllocExtended((MemoryContext) task->privdata, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

/* A reply in its place in the array that it is of, if it is of one. */
static DcReply *
dc_reply_new(const redisReadTask *task)
{
	DcReply    *reply = dc_reply_alloc(task, sizeof(DcReply));

	if (reply == NULL)
		return NULL;
	memset(reply, 0, sizeof(*reply));
	reply->type = task->type;
	if (task->parent != NULL)
		((DcReply *) task->parent->obj)->elements[task->idx] = reply;
	return reply;
}

static void *
dc_reply_string(const redisReadTask *task, char *bytes, size_t length)
{
	DcReply    *reply = dc_reply_new(task);
	char	   *copy = dc_reply_alloc(task, length + 1);

	if (reply == NULL || copy == NULL)
		return NULL;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	reply->bytes = copy;
	reply->length = length;
	return reply;
}

static void *
dc_reply_array(const redisReadTask *task, DcElementCount n)
{
	DcReply    *reply = dc_reply_new(task);
	int64		announced = (int64) n;
	Size		size;

	if (reply == NULL || announced < 0 || announced > DC_MAX_ELEMENTS)
		return NULL;
	size = (Size) announced * sizeof(DcReply *);
	reply->elements = dc_reply_alloc(task, Max(size, 1));
	if (reply->elements == NULL)
		return NULL;
	memset(reply->elements, 0, size);
	reply->n = n;
	return reply;
}

static void *
dc_reply_integer(const redisReadTask *task, long long value)
{
	DcReply    *reply = dc_reply_new(task);

	if (reply != NULL)
		reply->integer = value;
	return reply;
}

/* The task's type is what the nil stands for. */
static void *
dc_reply_nil(const redisReadTask *task)
{
	DcReply    *reply = dc_reply_new(task);

	if (reply != NULL)
		reply->type = REDIS_REPLY_NIL;
	return reply;
}

/* It goes with its context. */
static void
dc_reply_free(void *reply)
{
}

#if HIREDIS_MAJOR >= 1

/* Of RESP3, which nobody has asked for. */
static void *
dc_reply_double(const redisReadTask *task, double value, char *bytes,
				size_t length)
{
	return NULL;
}

static void *
dc_reply_bool(const redisReadTask *task, int value)
{
	return NULL;
}
#endif

static redisReplyObjectFunctions reply_functions = {
	.createString = dc_reply_string,
	.createArray = dc_reply_array,
	.createInteger = dc_reply_integer,
#if HIREDIS_MAJOR >= 1
	.createDouble = dc_reply_double,
	.createBool = dc_reply_bool,
#endif
	.createNil = dc_reply_nil,
	.freeObject = dc_reply_free,
};

redisReader *
dc_reader_create(MemoryContext context)
{
	redisReader *reader = redisReaderCreateWithFunctions(&reply_functions);

	if (reader != NULL)
		reader->privdata = context;
	return reader;
}
