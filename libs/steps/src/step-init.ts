/**
 * Process 1 of a step's namespace, run as `perl -e STEP_INIT GRACE_MS SCRIPT ARGS…`.
 *
 * A script must not be process 1 itself: the kernel ignores signals there that have no handler, so it could neither be asked to end nor
 * kill itself, and it would have to reap strangers. This init starts the script, passes SIGTERM on to everything in the
 * namespace, reaps, and tells on descriptor 3 how the script ended: `status <wait status>` or `error <why it did not start>`.
 * What the script left running gets GRACE_MS to flush (a `tee` at the end of a pipe), then the kernel ends it together with us.
 *
 * Perl, because it is part of every Debian and illumos, starts in 5 ms and gives the raw wait status; a shell would
 * report "killed by 9" and "exited with 137" alike.
 */
export const STEP_INIT = String.raw`
use strict; use warnings; use Fcntl;
my ($grace_ms, @argv) = @ARGV;
open(my $report, '>&=', 3) or die "descriptor 3: $!";
fcntl($report, F_SETFD, FD_CLOEXEC);
select((select($report), $| = 1)[0]);
my $script = fork();
defined $script or do { print $report "error $!\n"; exit 1 };
if ($script == 0) {
    setpgrp(0, 0);
    { no warnings; exec { $argv[0] } @argv; }
    print $report "error $!\n";
    exit 127;
}
$SIG{$_} = sub { kill 'TERM', -1 } for qw(TERM INT HUP);
while (1) {
    my $gone = waitpid(-1, 0);
    last if $gone == $script;
}
print $report "status $?\n";
my $waited_ms = 0;
while ($waited_ms < $grace_ms) {
    my $gone = waitpid(-1, 1);
    last if $gone == -1;
    next if $gone > 0;
    select(undef, undef, undef, 0.01);
    $waited_ms += 10;
}
exit 0;
`;
