/*
 * saved.c
 *		Keeps the ledger and the entries in a file while the server is down.
 *
 * The postmaster writes the file when all its children are gone and the
 * shutdown checkpoint is done, and reads and removes it at the next start.
 * It is trusted only if nothing can have been written in between unseen: the
 * control file must say that the last checkpoint is the very one that the
 * file was written after.  That refuses a crash, a start without the library,
 * a restored backup and another cluster's file.  (What may happen to a server
 * that starts as a standby is up to dc_ledger_begin().)  A data directory that
 * was copied has all that in common with its original, so the file's own
 * device and inode stand in it too.
 *
 * A file that is missing, damaged or refused is no error: the cache is empty
 * then, and the ledger begins with all earlier transactions in its horizon.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catversion.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"

#include "coherence/ledger.h"
#include "coherence/pattern.h"
#include "monitor/reads.h"
#include "saved.h"
#include "store/directory.h"
#include "store/shared_store.h"

#define DC_SAVED_FILE PGSTAT_STAT_PERMANENT_DIRECTORY "/dashboard_cache.saved"
#define DC_SAVED_TEMPORARY DC_SAVED_FILE ".tmp"

/* Changes with the layout of the file or of anything in it. */
#define DC_SAVED_VERSION 5

typedef struct DcSavedHeader
{
	char		magic[16];
	uint32		version;
	uint32		catalog_version;
	uint64		system_identifier;
	uint64		timeline;
	uint64		checkpoint;
	uint64		next_xid;
	uint64		device;
	uint64		inode;
	uint64		body_size;
	uint64		body_crc;
} DcSavedHeader;

static const char saved_magic[16] = "dashboard_cache";

/* palloc'd; NULL if the server was not shut down cleanly, as a primary. */
static ControlFileData *
dc_clean_control_file(void)
{
	bool		crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);

	return crc_ok && control->state == DB_SHUTDOWNED ? control : NULL;
}

/*
 * What the header must be for this server, now, and this file; false if the
 * server was not shut down cleanly.
 */
static bool
dc_saved_expect(FILE *file, DcSavedHeader *header)
{
	ControlFileData *control = dc_clean_control_file();
	CheckPoint *checkpoint;
	struct stat status;

	if (control == NULL || fstat(fileno(file), &status) != 0)
		return false;

	memset(header, 0, sizeof(*header));
	memcpy(header->magic, saved_magic, sizeof(saved_magic));
	header->version = DC_SAVED_VERSION;
	header->catalog_version = CATALOG_VERSION_NO;
	header->system_identifier = control->system_identifier;
	header->checkpoint = control->checkPoint;
	checkpoint = &control->checkPointCopy;
	header->timeline = checkpoint->ThisTimeLineID;
	header->next_xid = U64FromFullTransactionId(checkpoint->nextXid);
	header->device = status.st_dev;
	header->inode = status.st_ino;
	pfree(control);
	return true;
}

/* The length and checksum of what follows the header. */
static bool
dc_saved_sum(FILE *file, uint64 *size, uint64 *sum)
{
	char		block[8192];
	pg_crc32c	crc;
	size_t		n;

	if (fseeko(file, sizeof(DcSavedHeader), SEEK_SET) != 0)
		return false;
	INIT_CRC32C(crc);
	*size = 0;
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
	{
		COMP_CRC32C(crc, block, n);
		*size += n;
	}
	FIN_CRC32C(crc);
	*sum = crc;
	return !ferror(file);
}

/* NULL if the file is to be used, else what is wrong with it. */
static const char *
dc_saved_refusal(FILE *file, DcSavedHeader *header)
{
	DcSavedHeader expected;

	if (fread(header, sizeof(*header), 1, file) != 1)
		return "it is incomplete";
	if (!dc_saved_expect(file, &expected))
		return "the server was not shut down cleanly";
	if (!dc_saved_sum(file, &expected.body_size, &expected.body_crc))
		return "it cannot be read";
	if (header->body_size != expected.body_size ||
		header->body_crc != expected.body_crc)
		return "it is damaged";
	if (memcmp(header, &expected, sizeof(expected)) != 0)
		return "it is from another server or another shutdown";
	if (fseeko(file, sizeof(*header), SEEK_SET) != 0)
		return "it cannot be read";
	return NULL;
}

void
dc_saved_load(void)
{
	FILE	   *file = AllocateFile(DC_SAVED_FILE, PG_BINARY_R);
	DcSavedHeader header;
	const char *refusal;

	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not open file \"%s\": %m", DC_SAVED_FILE)));
		return;
	}

	/* From here on the file tells less than memory does. */
	if (unlink(DC_SAVED_FILE) != 0)
		refusal = "it cannot be removed";
	else
		refusal = dc_saved_refusal(file, &header);
	if (refusal == NULL &&
		!(dc_ledger_load(file, (TimeLineID) header.timeline) &&
		  dc_patterns_load(file) &&
		  dc_directory_load(file) &&
		  dc_reads_load(file) &&
		  dc_store_load(file)))
	{
		/* Without a ledger no entry that was read is valid. */
		dc_ledger_clear();
		dc_patterns_clear();
		dc_directory_clear();
		dc_reads_clear();
		refusal = "it cannot be read";
	}
	if (refusal != NULL)
		ereport(LOG,
				(errmsg("file \"%s\" is not used: %s", DC_SAVED_FILE, refusal),
				 errdetail("The cache starts empty.")));
	FreeFile(file);
}

static bool
dc_saved_write(FILE *file)
{
	DcSavedHeader header;

	memset(&header, 0, sizeof(header));
	return fwrite(&header, sizeof(header), 1, file) == 1 &&
		dc_ledger_save(file) && dc_patterns_save(file) &&
		dc_directory_save(file) && dc_reads_save(file) &&
		dc_store_save(file) &&
		fflush(file) == 0 &&
		dc_saved_expect(file, &header) &&
		dc_saved_sum(file, &header.body_size, &header.body_crc) &&
		fseeko(file, 0, SEEK_SET) == 0 &&
		fwrite(&header, sizeof(header), 1, file) == 1;
}

void
dc_saved_store(int code, Datum arg)
{
	FILE	   *file;
	bool		written;

	/* Nor after an immediate shutdown, which leaves memory as it was. */
	if (code != 0 || dc_clean_control_file() == NULL)
		return;
	file = AllocateFile(DC_SAVED_TEMPORARY, "w+b");
	if (file == NULL)
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", DC_SAVED_TEMPORARY)));
		return;
	}
	written = dc_saved_write(file);
	if (FreeFile(file) != 0 || !written)
		unlink(DC_SAVED_TEMPORARY);
	else
		(void) durable_rename(DC_SAVED_TEMPORARY, DC_SAVED_FILE, LOG);
}
