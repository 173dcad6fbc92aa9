//! Pods that listen on the same port, each on its own address.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use super::*;

/// Answers every connection with its greeting.
const SERVER: &str = "use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 unpack_sockaddr_in6 AF_INET6 IPV6_V6ONLY IPPROTO_IPV6);
my ($address, $port, $greeting) = @ARGV;
my $six = $address =~ /:/;
socket(my $server, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die \"socket: $!\";
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);
my $packed = inet_pton($six ? AF_INET6 : AF_INET, $address);
bind($server, $six ? pack_sockaddr_in6($port, $packed) : pack_sockaddr_in($port, $packed)) or die \"bind: $!\";
listen($server, 5) or die \"listen: $!\";
my $own = getsockname($server);
my ($bound) = $six ? unpack_sockaddr_in6($own) : unpack_sockaddr_in($own);
$| = 1;
print \"port=$bound\\n\";
while (accept(my $client, $server)) { print $client $greeting; close $client }";

fn server(address: Ipv4Addr, listen: &str, port: u16, greeting: &str) -> CreateRequest {
    // In a child of the container's first process: filters are inherited, and so is their listener.
    let script = "perl -e \"$0\" \"$@\" & wait";
    let port = port.to_string();
    let mut request = request(greeting, &["sh", "-c", script, SERVER, listen, &port, greeting]);
    request.address = address;
    request
}

fn greeting_of(address: Ipv4Addr, port: u16) -> String {
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from((address, port)), DEADLINE).expect("reachable");
    stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("greeting");
    text
}

#[tokio::test]
async fn two_pods_listen_on_the_same_port_of_all_addresses() {
    let machine = Machine::new();
    if !machine.protect.redirect {
        println!("skipped: no seccomp user notification");
        return;
    }
    let addresses = [
        Ipv4Addr::new(127, 64, 78, 1),
        Ipv4Addr::new(127, 64, 78, 2),
        Ipv4Addr::new(127, 64, 78, 3),
    ];
    let (first, output) = machine.start(server(addresses[0], "0.0.0.0", 0, "one")).await;
    let port = u16::try_from(printed(&output, "port").await.as_raw_pid()).expect("port");
    let (second, output) = machine.start(server(addresses[1], "::", port, "two")).await;
    printed(&output, "port").await;
    let (third, output) = machine
        .start(server(addresses[2], "127.0.0.1", port, "three"))
        .await;
    printed(&output, "port").await;
    let greetings = addresses.map(|address| greeting_of(address, port));
    assert_eq!(greetings, ["one", "two", "three"]);
    for id in [first, second, third] {
        machine.runtime.stop(&id, Stop::Force);
        machine.end(&id).await;
    }
}

#[tokio::test]
async fn a_program_starts_again_where_its_last_run_left_connections() {
    let machine = Machine::new();
    if !machine.protect.redirect {
        println!("skipped: no seccomp user notification");
        return;
    }
    let address = Ipv4Addr::new(127, 64, 80, 1);
    // As many small servers do: it does not ask for SO_REUSEADDR, and it closes first.
    let plain = SERVER.replace("setsockopt($server, SOL_SOCKET, SO_REUSEADDR, 1);", "");
    let mut port = 0;
    for _ in 0..2 {
        let mut again = request(
            "again",
            &["perl", "-e", &plain, "0.0.0.0", &port.to_string(), "again"],
        );
        again.address = address;
        let (id, output) = machine.start(again).await;
        port = u16::try_from(printed(&output, "port").await.as_raw_pid()).expect("port");
        assert_eq!(greeting_of(address, port), "again");
        machine.runtime.stop(&id, Stop::Force);
        machine.end(&id).await;
    }
}

#[tokio::test]
async fn a_pod_cannot_take_another_pods_address() {
    let machine = Machine::new();
    if !machine.protect.redirect {
        println!("skipped: no seccomp user notification");
        return;
    }
    let (exit, output) = machine
        .run(server(Ipv4Addr::new(127, 64, 79, 1), "127.64.79.2", 0, "thief"))
        .await;
    assert_eq!(exit.code, 0, "the shell's wait");
    assert!(
        output.error().contains("Cannot assign requested address"),
        "{}",
        output.error()
    );
}

#[tokio::test]
async fn a_second_server_in_one_pod_meets_the_first() {
    let machine = Machine::new();
    if !machine.protect.redirect {
        println!("skipped: no seccomp user notification");
        return;
    }
    let address = Ipv4Addr::new(127, 64, 80, 1);
    let (first, output) = machine.start(server(address, "0.0.0.0", 0, "one")).await;
    let port = u16::try_from(printed(&output, "port").await.as_raw_pid()).expect("port");
    let (_, output) = machine.run(server(address, "127.0.0.1", port, "two")).await;
    assert!(
        output.error().contains("Address already in use"),
        "{}",
        output.error()
    );
    machine.runtime.stop(&first, Stop::Force);
    machine.end(&first).await;
}
