# RedisProtocol: Redis's protocol, version 2, as far as tests need it.
package RedisProtocol;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(format_command parse);

# A command as a client sends it: an array of strings.
sub format_command
{
	my @words = @_;

	return join '', '*' . @words . "\r\n",
	  map { '$' . length($_) . "\r\n$_\r\n" } @words;
}

# The value that stands at the position of the bytes, and the position behind
# it; or nothing if it is not complete yet.  An array is a reference to one, an
# error a reference to its text.
sub parse
{
	my ($bytes, $at) = @_;
	my $end = index($$bytes, "\r\n", $at);

	return if $end < 0;
	my $type = substr($$bytes, $at, 1);
	my $line = substr($$bytes, $at + 1, $end - $at - 1);
	my $next = $end + 2;

	return ($line, $next) if $type eq '+' || $type eq ':';
	return (\$line, $next) if $type eq '-';
	return (undef, $next) if $line < 0;
	if ($type eq '$')
	{
		return if length($$bytes) < $next + $line + 2;
		return (substr($$bytes, $next, $line), $next + $line + 2);
	}
	die "not Redis's protocol: $type$line" if $type ne '*';

	my @values;
	foreach (1 .. $line)
	{
		my ($value, $after) = parse($bytes, $next) or return;

		push @values, $value;
		$next = $after;
	}
	return (\@values, $next);
}

1;
