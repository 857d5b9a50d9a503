# RedisServer: a private redis-server in a temporary directory, which keeps
# nothing on disk, and a connection to it.
#
# It listens on a Unix socket, and on loopback ports if asked to: tcp => 1,
# tls => 1.  It ends with the test, however that ends.
package RedisServer;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisProtocol qw(format_command parse);
use Time::HiRes qw(sleep time);

my @all;

# name: for the log.  settings: lines for redis.conf.
sub new
{
	my ($class, $name, %params) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless {
		name => $name,
		dir => $dir,
		socket => "$dir/redis.sock",
		log => "$PostgreSQL::Test::Utils::log_path/redis_$name.log",
		port => $params{tcp} ? PostgreSQL::Test::Cluster::get_free_port() : 0,
		tls_port => $params{tls} ? PostgreSQL::Test::Cluster::get_free_port()
		: 0,
		settings => $params{settings} // '',
	}, $class;

	push @all, $self;
	$self->start if $params{start} // 1;
	return $self;
}

sub name { return $_[0]->{name}; }
sub dir { return $_[0]->{dir}; }
sub socket { return $_[0]->{socket}; }
sub port { return $_[0]->{port}; }
sub tls_port { return $_[0]->{tls_port}; }
sub pid { return $_[0]->{process}{pid}; }

# Where to find it, for dashboard_cache.redis_url.
sub url
{
	my ($self) = @_;

	return "unix://$self->{socket}";
}

#
# Processes that end with the test
#

# Starts a program with its output in the file.  A shell waits beside it for the
# end of a pipe whose other end only this process holds, and kills it then.
sub spawn
{
	my ($log, @command) = @_;
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $log);
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or POSIX::_exit(127);
	}

	pipe(my $read, my $write) or die "could not make a pipe: $!";
	my $guard = fork() // die "could not fork: $!";

	if ($guard == 0)
	{
		open(STDIN, '<&', $read);
		open(STDOUT, '>', '/dev/null');
		exec('sh', '-c', "read line || kill -KILL $pid") or POSIX::_exit(127);
	}
	close($read);
	return { pid => $pid, guard => $guard, pipe => $write };
}

sub is_running
{
	my ($process) = @_;

	$process->{ended} = 1
	  if !$process->{ended} && waitpid($process->{pid}, WNOHANG) != 0;
	return !$process->{ended};
}

# Sends it the signal and waits until it is gone.
sub end
{
	my ($process, $signal) = @_;
	my $kill_at = time() + 10;

	kill($signal, $process->{pid}) if is_running($process);
	while (is_running($process))
	{
		kill('KILL', $process->{pid}) if time() > $kill_at;
		sleep(0.01);
	}

	local $SIG{PIPE} = 'IGNORE';
	syswrite($process->{pipe}, "\n");
	close($process->{pipe});
	waitpid($process->{guard}, 0);
	return;
}

END
{
	my $status = $?;

	$_->kill9 foreach @all;
	$? = $status;
}

#
# Start and stop
#

# Returns when it answers, if only that it is loading.
sub start
{
	my ($self) = @_;
	my $config = "$self->{dir}/redis.conf";
	my $give_up_at = time() + $PostgreSQL::Test::Utils::timeout_default;

	open(my $file, '>', $config) or die "could not create \"$config\": $!";
	print $file <<"CONFIG";
port $self->{port}
tls-port $self->{tls_port}
bind 127.0.0.1 -::1
unixsocket $self->{socket}
dir $self->{dir}
save ""
appendonly no
daemonize no
$self->{settings}
CONFIG
	close($file);
	$self->{process} = spawn($self->{log}, 'redis-server', $config);
	until (eval { $self->replies(['PING']); 1 })
	{
		die "redis-server did not start, see $self->{log}"
		  if time() > $give_up_at || !is_running($self->{process});
		sleep(0.02);
	}
	return;
}

sub _end
{
	my ($self, $signal) = @_;
	my $process = delete $self->{process} or return;

	$self->disconnect;
	end($process, $signal);
	unlink $self->{socket};
	return;
}

sub kill9 { return $_[0]->_end('KILL'); }

sub stop
{
	my ($self) = @_;

	$self->thaw if $self->{process};
	return $self->_end('TERM');
}

# As after a power failure: what was in it is gone.
sub restart_empty
{
	my ($self) = @_;

	$self->kill9;
	unlink "$self->{dir}/dump.rdb";
	return $self->start;
}

# Stops with all data on disk: the next start loads them.
sub stop_and_save
{
	my ($self) = @_;

	$self->command('SAVE');
	return $self->kill9;
}

# SIGSTOP: connections stay open, and new ones are accepted by the kernel, but
# nothing is answered until thaw().
sub freeze
{
	my ($self) = @_;

	kill('STOP', $self->pid);
	waitpid($self->pid, WUNTRACED);
	return;
}

sub thaw
{
	my ($self) = @_;

	kill('CONT', $self->pid);
	return;
}

#
# Certificates
#

sub _openssl
{
	my @words = @_;
	my $log = "$PostgreSQL::Test::Utils::log_path/openssl.log";

	system("openssl @words >>$log 2>&1") == 0
	  or die "openssl @words failed, see $log";
	return;
}

# Makes a key and a certificate for the names, as in "DNS:localhost", signed by
# the authority, and returns where they are without ".key" and ".crt".  Without
# names and authority it is an authority itself.
sub make_certificate
{
	my ($dir, $name, $authority, $names, $days) = @_;
	my $file = "$dir/$name";
	my $key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
	  . " -keyout $file.key -subj /CN=$name";

	if (!defined $authority)
	{
		_openssl("req -x509 $key -days 10 -out $file.crt");
		return $file;
	}
	append_to_file("$file.names", "subjectAltName=$names\n");
	_openssl("req $key -out $file.csr");
	_openssl("x509 -req -in $file.csr -CA $authority.crt"
		  . " -CAkey $authority.key -set_serial "
		  . int(rand(1_000_000_000))
		  . " -days @{[ $days // 10 ]} -extfile $file.names -out $file.crt");
	return $file;
}

#
# Commands
#

# What redis-cli prints.
sub cli
{
	my ($self, @words) = @_;
	my ($stdout, $stderr) =
	  run_command([ 'redis-cli', '-s', $self->{socket}, @words ]);

	die "redis-cli @words: $stderr" if $stderr ne '';
	return $stdout;
}

# A connection of the test's own, which stays open.
sub _connect
{
	my ($self) = @_;

	return if $self->{connection};
	$self->{connection} = IO::Socket::UNIX->new(Peer => $self->{socket})
	  or die "could not connect to $self->{socket}: $!";
	$self->{received} = '';
	return;
}

sub disconnect
{
	my ($self) = @_;
	my $connection = delete $self->{connection} or return;

	close($connection);
	return;
}

sub _read_reply
{
	my ($self) = @_;
	my $give_up_at = time() + $PostgreSQL::Test::Utils::timeout_default;
	my $select = IO::Select->new($self->{connection});

	while (1)
	{
		my ($value, $next) = parse(\$self->{received}, 0);

		if (defined $next)
		{
			substr($self->{received}, 0, $next) = '';
			return $value;
		}
		die "Redis does not answer" if time() > $give_up_at;
		next unless $select->can_read(1);
		sysread($self->{connection}, $self->{received},
			1024 * 1024, length($self->{received}))
		  or die "Redis has closed the connection";
	}
}

# The values that Redis answers to the commands, which are references to
# arrays; to one that it refuses, a reference to the error's text.
sub replies
{
	my ($self, @commands) = @_;
	my @values;
	local $SIG{PIPE} = 'IGNORE';

	# So many at once that neither side has to wait for the other.
	while (my @batch = splice(@commands, 0, 50))
	{
		eval {
			$self->_connect;
			print { $self->{connection} }
			  map { format_command(@$_) } @batch;
			$self->{connection}->flush;
			push @values, $self->_read_reply foreach @batch;
			1;
		} or do
		{
			$self->disconnect;
			die $@;
		};
	}
	return @values;
}

sub command
{
	my ($self, @words) = @_;
	my ($value) = $self->replies([@words]);

	die "Redis refused @words: $$value" if ref($value) eq 'SCALAR';
	return $value;
}

# The names of the keys that match, in order.
sub keys
{
	my ($self, $pattern) = @_;
	my @keys = sort @{ $self->command('KEYS', $pattern // '*') };

	return @keys;
}

# A number out of INFO.
sub info
{
	my ($self, $field) = @_;

	return $self->command('INFO') =~ /^$field:(\S+)/m ? $1 : undef;
}

# The names of clients that call themselves anything.
sub client_names
{
	my ($self) = @_;

	return $self->command('CLIENT', 'LIST') =~ /\bname=(\S+)/g;
}

1;
