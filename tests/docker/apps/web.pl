# A web server in Perl, a process for each connection: answers with a number from STORE, or a greeting.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 8000, Listen => 256, ReuseAddr => 1) or die $!;
while (1) {
    my $client = $server->accept or next;
    my $child = fork;
    if ($child) { close $client; next }
    my $request = <$client> // '';
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/ }
    my ($status, $body) = $request =~ m{ /healthz } ? (200, 'ok') : count();
    my $version = $ENV{COLOUR} // 'none';
    print $client "HTTP/1.1 $status X\r\nContent-Length: ", length $body, "\r\nX-Version: $version\r\nConnection: close\r\n\r\n$body";
    close $client;
    exit 0;
}

sub count {
    return (200, 'hello') unless $ENV{STORE};
    my $store = IO::Socket::INET->new(PeerAddr => $ENV{STORE}, Timeout => 20) or return (500, "no store: $!");
    print $store "INCR\n";
    my $number = <$store>;
    return defined $number ? (200, $number) : (500, 'no number');
}
