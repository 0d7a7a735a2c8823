use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn side(text: &str) -> Side {
    let (address, port) = text.split_once(':').expect("port");
    (
        address.parse().expect("address"),
        port.parse().expect("port"),
    )
}

fn who(groups: &[Group], role: Role, first: &str, second: Option<&str>) -> Transport {
    let socket = Socket {
        role,
        first: side(first),
        second: second.map(side),
    };
    decide(groups, "trader", "", &socket)
}

/// The verdicts that the library itself gave for rules of one address.
#[test]
fn sockets_of_a_port_go_to_libvma_and_all_others_to_the_kernel() {
    let port = PortAddress {
        address: Ipv4Addr::new(192, 0, 2, 2),
        prefix: 24,
    };
    let text = render("# A test.\n", &[("ens1f0", port)]);
    let parsed = parse(&text);
    assert_eq!((&parsed.faults, parsed.stopped), (&vec![], None), "{text}");
    let g = &parsed.groups;
    let (vma, os) = (Transport::Vma, Transport::Os);
    for (role, first, second, by) in [
        (Role::TcpServer, "192.0.2.2:7000", None, vma),
        (Role::TcpServer, "0.0.0.0:7000", None, os),
        (Role::TcpServer, "10.1.1.1:7000", None, os),
        (Role::TcpServer, "192.0.2.2:22", None, os),
        (
            Role::TcpClient,
            "203.0.113.9:443",
            Some("192.0.2.2:40000"),
            vma,
        ),
        (
            Role::TcpClient,
            "203.0.113.9:443",
            Some("10.1.1.1:40000"),
            os,
        ),
        (
            Role::TcpClient,
            "203.0.113.9:22",
            Some("192.0.2.2:40000"),
            os,
        ),
        (Role::UdpReceiver, "192.0.2.2:7000", None, vma),
        (Role::UdpReceiver, "239.1.1.1:7000", None, vma),
        (Role::UdpReceiver, "10.1.1.1:7000", None, os),
        (Role::UdpReceiver, "0.0.0.0:7000", None, os),
        (Role::UdpSender, "192.0.2.77:7000", None, vma),
        (Role::UdpSender, "239.1.1.1:7000", None, vma),
        (Role::UdpSender, "8.8.8.8:7000", None, os),
        (Role::UdpSender, "192.0.2.53:53", None, os),
        (
            Role::UdpConnect,
            "192.0.2.77:7000",
            Some("10.1.1.1:4000"),
            os,
        ),
        (
            Role::UdpConnect,
            "192.0.2.77:7000",
            Some("192.0.2.2:4000"),
            vma,
        ),
        (
            Role::UdpConnect,
            "192.0.2.53:53",
            Some("192.0.2.2:4000"),
            os,
        ),
    ] {
        assert_eq!(
            who(g, role, first, second),
            by,
            "{role:?} {first} {second:?}"
        );
    }
}

#[test]
fn without_a_rule_everything_is_offloaded() {
    assert_eq!(who(&[], Role::TcpServer, "0.0.0.0:1", None), Transport::Vma);
    let groups = parse("use os tcp_server *:*\n").groups;
    assert_eq!(
        who(&groups, Role::TcpClient, "1.2.3.4:5", Some("1.2.3.5:6")),
        Transport::Vma
    );
    // Of the groups of a program only the first that has such a rule is asked.
    let groups = parse("application-id tr* *\nuse vma tcp_server 1.1.1.1:*\napplication-id * *\nuse os tcp_server *:*\n").groups;
    assert_eq!(
        who(&groups, Role::TcpServer, "2.2.2.2:1", None),
        Transport::Vma
    );
    assert_eq!(
        decide(
            &groups,
            "other",
            "",
            &Socket {
                role: Role::TcpServer,
                first: side("2.2.2.2:1"),
                second: None
            }
        ),
        Transport::Os
    );
}

#[test]
fn the_file_of_the_popular_script_is_diagnosed_line_by_line() {
    let text = "# VMA configuration\nVMA_SPEC=tcp:*:*\nVMA_HUGETLB=1\nVMA_RX_POLL_NUM=1000\nVMA_RX_POLL=-1\nuse os tcp_server *:22\n";
    let parsed = parse(text);
    assert_eq!((parsed.stopped, parsed.lost), (Some(2), 1));
    let told: Vec<_> = parsed.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(told, [2, 3, 4, 5]);
    assert!(
        parsed.faults[0]
            .problem
            .what
            .contains("reads no rule after")
    );
    assert!(parsed.faults[0].problem.what.contains("no such preset"));
    assert!(
        parsed.faults[1]
            .problem
            .remedy
            .contains("VMA_MEM_ALLOC_TYPE=2")
    );
    assert!(
        parsed.faults[2]
            .problem
            .remedy
            .contains("write VMA_RX_POLL")
    );
    assert!(parsed.faults[3].problem.what.contains("has no effect"));
    assert!(parsed.groups.is_empty());
}

#[test]
fn what_libvma_turns_into_something_else_is_told() {
    for (line, told, stops) in [
        ("use os tcp_server *:99999", "takes 34463", false),
        ("use os tcp_server *:90-80", "backwards", false),
        ("use os tcp_server 10.0.0.0/64:*", "takes /32", false),
        ("use os tcp_server 10.0.0.0/256:*", "takes /0", false),
        (
            "use os tcp_server *:1 use os tcp_server *:2",
            "two statements",
            false,
        ),
        ("use os tcp_server 10.0.0.256:*", "0.0.0.0", false),
        ("use sdp tcp_server *:*", "matches nothing", false),
        ("use * tcp_client *:*:*:*", "listeners", false),
        ("use vma tcp_client *:*", "remote end only", false),
        ("log min-level 1", "standard output", false),
        ("log destination stderr", "no statement", true),
        ("use os tcp_server *:080", "no port", true),
        ("USE os tcp_server *:*", "lower case", true),
        ("use os tcp_servers *:*", "nothing that a socket does", true),
        ("use kernel tcp_server *:*", "no transport", true),
        ("use os tcp_server ::1:*", "no IPv4", true),
        ("use os tcp_server *", "no ports", true),
        ("use os tcp_server *:*\r", "Windows", true),
        ("application-id trader", "a program and an id", true),
        ("RX_POLL=1", "no rule", true),
    ] {
        let parsed = parse(&format!("{line}\nuse os udp_sender *:*\n"));
        let fault = parsed
            .faults
            .first()
            .unwrap_or_else(|| panic!("{line}: no fault"));
        assert!(
            fault.problem.what.contains(told),
            "{line}: {}",
            fault.problem.what
        );
        assert_eq!(parsed.stopped.is_some(), stops, "{line}");
        assert_eq!(parsed.lost, usize::from(stops), "{line}");
    }
}

#[test]
fn blanks_comments_and_a_missing_last_newline_are_free() {
    let parsed = parse(
        "\n  # comment\n\tuse   os\ttcp_client * : 53 : * : *   # DNS\napplication-id * *\nuse vma udp_sender 239.0.0.0/8:7000-7010",
    );
    assert_eq!(parsed.faults, []);
    let rules: Vec<String> = parsed
        .groups
        .iter()
        .flat_map(|g| &g.rules)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        rules,
        [
            "use os  tcp_client   *:53:*:*",
            "use vma udp_sender   239.0.0.0/8:7000-7010"
        ]
    );
}

proptest! {
    #[test]
    fn never_panics(text in "[a-z *:./0-9#=_VMA\r\n-]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_rendered_is_read_without_fault(octets in any::<[u8; 4]>(), prefix in 0u8..=32) {
        let port = PortAddress { address: Ipv4Addr::from(octets), prefix };
        let parsed = parse(&render("", &[("a", port), ("b", port)]));
        prop_assert!(parsed.faults.is_empty() && parsed.stopped.is_none());
    }
}
