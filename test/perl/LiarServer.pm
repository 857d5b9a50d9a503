# LiarServer: stands between a client and a Redis server.  It passes everything
# on until it is told to lie.
package LiarServer;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use RedisProtocol qw(format_command parse);
use Socket qw(SOL_SOCKET SO_LINGER);

# What it can do instead of passing a reply on.  Each function gets the client's
# connection and the reply's bytes; the connection stays open if it returns true.
my %lies = (
	# What does not look like Redis, or not like an answer to what was asked.
	'garbage' => sub { say_to($_[0], join '', map { chr($_) } 128 .. 255, 1 .. 9); },
	'web page' =>
	  sub { say_to($_[0], "HTTP/1.1 400 Bad Request\r\n\r\n<html></html>\r\n") },
	'2 GB string' => sub { say_to($_[0], "\$2147483647\r\n" . 'x' x 1000) },
	'2 GB string in the answer' =>
	  sub { say_to($_[0], "*3\r\n\$1\r\nx\r\n\$2147483647\r\n" . 'x' x 1000) },
	'array of 2 billion' => sub { say_to($_[0], "*2147483647\r\n:1\r\n") },
	'array of 10^18' =>
	  sub { say_to($_[0], "*1000000000000000000\r\n:1\r\n") },
	'negative length' => sub { say_to($_[0], "\$-7\r\n") },
	'negative array' => sub { say_to($_[0], "*-7\r\n") },
	'100 arrays deep' =>
	  sub { say_to($_[0], "*1\r\n" x 100 . "\$1\r\nx\r\n") },
	'integer' => sub { say_to($_[0], ":42\r\n") },
	'status' => sub { say_to($_[0], "+OK\r\n") },
	'nil array' => sub { say_to($_[0], "*-1\r\n") },
	'empty array' => sub { say_to($_[0], "*0\r\n") },
	'long array' => sub { say_to($_[0], "*9\r\n" . "\$1\r\nx\r\n" x 9) },
	'array of arrays' =>
	  sub { say_to($_[0], "*3\r\n" . "*1\r\n\$1\r\nx\r\n" x 3) },
	'array of integers' => sub { say_to($_[0], "*3\r\n:1\r\n:2\r\n:3\r\n") },
	'array of errors' =>
	  sub { say_to($_[0], "*3\r\n-ERR 1\r\n-ERR 2\r\n-ERR 3\r\n") },
	'empty error' => sub { say_to($_[0], "-\r\n") },
	'long error' => sub { say_to($_[0], '-ERR ' . 'x' x 100_000 . "\r\n") },

	# What a server says that is not well.
	'loading' =>
	  sub { say_to($_[0], "-LOADING Redis is loading the dataset in memory\r\n") },
	'busy' => sub { say_to($_[0], "-BUSY Redis is busy running a script\r\n") },
	'moved' => sub { say_to($_[0], "-MOVED 1234 127.0.0.1:1\r\n") },

	# Time and ends.
	'silence' => sub { wait_for_end($_[0]) },
	'drip' => sub { drip($_[0], $_[1]) },
	'half, then silence' =>
	  sub { say_to($_[0], half($_[1])) && wait_for_end($_[0]) },
	'half, then end' => sub { say_to($_[0], half($_[1])); 0 },
	'half, then reset' => sub {
		say_to($_[0], half($_[1]));
		setsockopt($_[0], SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
		0;
	},
	'end' => sub { 0 },

	# True, but not the answer to what was asked: another command's answer is
	# the next that the client would read.
	'twice' => sub { say_to($_[0], $_[1] x 2) },);

sub lies { return sort CORE::keys %lies; }

#
# In the test
#

# tcp => 1: on a loopback port instead of a Unix socket.
sub new
{
	my ($class, $redis, %params) = @_;
	my $name = $redis->dir . '/liar';
	my $port =
	  $params{tcp} ? PostgreSQL::Test::Cluster::get_free_port() : undef;
	my $self = bless {
		name => $name,
		address => $port // "$name.sock",
		url => $port ? "redis://127.0.0.1:$port" : "unix://$name.sock",
	}, $class;

	$self->tell_the_truth;
	(my $here = __FILE__) =~ s{/[^/]*$}{};
	$self->{process} = RedisServer::spawn(
		"$name.log", $^X, "-I$here", '-MLiarServer',
		'-e', 'LiarServer::serve(@ARGV)',
		$name, $self->{address}, $redis->socket);
	until (-e "$name.ready")
	{
		die 'the liar did not start'
		  unless RedisServer::is_running($self->{process});
		select(undef, undef, undef, 0.02);
	}
	return $self;
}

sub url { return $_[0]->{url}; }

# From now on, to commands whose names match.
sub tell
{
	my ($self, $lie, $commands) = @_;

	die "no such lie: $lie" unless $lie eq 'truth' || $lies{$lie};
	unlink "$self->{name}.lies";
	open(my $file, '>', "$self->{name}.new") or die "could not lie: $!";
	print $file "$lie\n$commands\n";
	close($file);
	rename("$self->{name}.new", "$self->{name}.mode")
	  or die "could not lie: $!";
	return;
}

sub tell_the_truth { return $_[0]->tell('truth', 'none'); }

# How often it has lied since it was told to.
sub count_lies
{
	my ($self) = @_;

	return (-s "$self->{name}.lies") // 0;
}

sub stop
{
	my ($self) = @_;

	RedisServer::end($self->{process}, 'TERM');
	return;
}

#
# In a process of its own
#

my ($name, $client, $server);

# A process for each client.
sub serve
{
	my ($address, $redis);
	my %children;

	($name, $address, $redis) = @_;
	my $listener =
	  $address =~ /^\d+$/
	  ? IO::Socket::INET->new(
		LocalAddr => "127.0.0.1:$address",
		Listen => 100,
		ReuseAddr => 1)
	  : IO::Socket::UNIX->new(Local => $address, Listen => 100);
	die "could not listen on $address: $!" unless $listener;
	local $SIG{CHLD} = 'IGNORE';
	local $SIG{PIPE} = 'IGNORE';
	open(my $ready, '>', "$name.ready") or die;
	close($ready);

	while (1)
	{
		$client = $listener->accept or next;
		my $child = fork() // die "could not fork: $!";

		if ($child == 0)
		{
			close($listener);
			pass_on($redis);
			POSIX::_exit(0);
		}
		close($client);
	}
}

# Waits until one of them can be read, and ends with the test or this server.
sub wait_for
{
	my @sockets = @_;
	my $select = IO::Select->new(@sockets);
	my $parent = getppid();

	while (1)
	{
		my @ready = $select->can_read(1);

		return $ready[0] if @ready;
		POSIX::_exit(0) if getppid() != $parent;
	}
}

sub pass_on
{
	my ($redis) = @_;
	my ($asked, $answered) = ('', '');

	$server = IO::Socket::UNIX->new(Peer => $redis) or return;
	if (my $lie = should_lie('connect'))
	{
		$lie->($client, '') or return;
	}
	while (1)
	{
		my ($words, $next) = parse(\$asked, 0);

		if (!defined $next)
		{
			receive($client, \$asked) or return;
			next;
		}
		substr($asked, 0, $next) = '';
		print {$server} format_command(@$words);
		$server->flush;
		until ((undef, $next) = parse(\$answered, 0))
		{
			receive($server, \$answered) or return;
		}
		my $answer = substr($answered, 0, $next, '');

		(should_lie($words->[0]) // \&say_to)->($client, $answer) or return;
	}
}

# What to do instead of answering the command, if anything.
sub should_lie
{
	my ($command) = @_;

	open(my $file, '<', "$name.mode") or return;
	chomp(my ($lie, $commands) = <$file>);
	return unless $command =~ /^(?:$commands)$/i;
	open(my $count, '>>', "$name.lies") or return;
	print $count '.';
	return $lies{$lie};
}

sub receive
{
	my ($socket, $bytes) = @_;

	wait_for($socket);
	return sysread($socket, $$bytes, 1024 * 1024, length($$bytes));
}

sub say_to
{
	my ($socket, $bytes) = @_;

	print {$socket} $bytes or return 0;
	return $socket->flush;
}

sub half { return substr($_[0], 0, length($_[0]) / 2); }

sub wait_for_end
{
	my ($socket) = @_;
	my $ignored = '';

	while (receive($socket, \$ignored)) { }
	return 0;
}

# A byte a second.
sub drip
{
	my ($socket, $bytes) = @_;

	foreach my $byte (split //, $bytes)
	{
		my $parent = getppid();

		say_to($socket, $byte) or return 0;
		select(undef, undef, undef, 1);
		POSIX::_exit(0) if getppid() != $parent;
	}
	return 1;
}

1;
