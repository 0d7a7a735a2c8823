//! The words of the domain.

use hftune_model::knob::{Knob, NumberKnob, SwitchKnob};
use hftune_model::setting::Doc;

/// How most values of a port are proved.
const READ: &str = "saved: tune-nic-IF.service and nic-watch.service; live and effect: the driver's own answer over netlink \
                    (ethtool shows the same).";

const SOURCE: &str = "Linux Documentation/networking/ethtool-netlink.rst; drivers/net/ethernet";

pub(super) const DOCS: &[Doc] = &[
    Doc {
        id: "nic/IF/service",
        what: "The unit that sets the values of one port when its device appears, and the one that waits for changes.",
        why: "A port forgets what it was set to when its driver is loaded anew or the machine boots; a reset of the card, a \
              change of channels or somebody's ethtool changes it in between. nic-watch.service sleeps until the kernel \
              reports a link that comes back or a value that changes, and has the port's unit run again; that unit \
              writes only what differs.",
        trade_off: "One more sleeping process on the housekeeping CPUs. Whoever wants to try a value by hand stops \
                    nic-watch.service first.",
        read: "saved: both unit files and their links; live and effect: both units are active.",
        source: "systemd.device(5); Linux net/ethtool/netlink.c (the group \"monitor\"), net/core/rtnetlink.c",
    },
    Doc {
        id: "nic/IF/ring-rx",
        what: "How many received packets each queue can hold before the kernel takes them.",
        why: "A burst that finds the ring full is dropped by the card, and nothing later can bring it back.",
        trade_off: "A long ring lets more packets wait, and spreads over more of the cache: where nic show counts no drops, \
                    512 to 2048 are quicker. For the change, drivers build their queues anew, and igb, igc, ixgbe, e1000e and \
                    mlx4_core take the link down. Each driver rounds in its own way: the plan shows what it will have.",
        read: READ,
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/ring-tx",
        what: "How many packets each queue can hold until the card has sent them.",
        why: "A sender that finds the ring full waits.",
        trade_off: "As for nic/IF/ring-rx.",
        read: READ,
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/channels-NAME",
        what: "How many queues with an interrupt of their own the port has: combined, rx or tx.",
        why: "Each queue is an interrupt to place; a port whose traffic one CPU handles needs one.",
        trade_off: "Fewer queues mean less for each CPU to do at once. The driver rebuilds all queues for the change, and \
                    with igb, igc, ixgbe, ice, ena, bnxt_en and virtio_net the interrupts lose the affinity that they had.",
        read: READ,
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/feature-gro",
        what: "Generic receive offload and its relatives in hardware and for UDP: packets are put together.",
        why: "A packet waits for the next ones of its stream before the application sees it.",
        trade_off: "Bulk TCP takes more CPU time. Kernel bypass is not touched by it.",
        read: "saved: as for the rings; live: what was asked of the driver; effect: what it made of it.",
        source: "Linux net/ethtool/common.c; Documentation/networking/segmentation-offloads.rst",
    },
    Doc {
        id: "nic/IF/feature-lro",
        what: "Large receive offload: the card puts packets together.",
        why: "As for nic/IF/feature-gro; and what the card put together cannot be taken apart as it was.",
        trade_off: "As for nic/IF/feature-gro.",
        read: "As for nic/IF/feature-gro.",
        source: "Linux net/ethtool/common.c; Documentation/networking/netdev-features.rst",
    },
    Doc {
        id: "nic/IF/feature-tso",
        what: "TCP segmentation offload: the card cuts large writes into packets.",
        why: "The stack waits to make writes large; a small message goes out at once without it.",
        trade_off: "Bulk sending takes more CPU time.",
        read: "As for nic/IF/feature-gro.",
        source: "Linux net/ethtool/common.c; Documentation/networking/segmentation-offloads.rst",
    },
    Doc {
        id: "nic/IF/feature-gso",
        what: "Generic segmentation offload, and the offloads of the card for tunnels, UDP, SCTP and others.",
        why: "As for nic/IF/feature-tso, in software.",
        trade_off: "As for nic/IF/feature-tso.",
        read: "As for nic/IF/feature-gro.",
        source: "Linux net/ethtool/common.c; Documentation/networking/segmentation-offloads.rst",
    },
    Doc {
        id: "nic/IF/feature-NAME",
        what: "A feature of the port, by the kernel's name or by ethtool's word for several.",
        why: "The profile names it.",
        trade_off: "That of the feature.",
        read: "As for nic/IF/feature-gro.",
        source: "Linux net/ethtool/common.c",
    },
    Doc {
        id: "nic/IF/coalesce-adaptive-rx",
        what: "Whether the driver adapts receive coalescing to the traffic.",
        why: "While it does, drivers refuse (i40e, ice) or ignore (mlx5) the numbers: \"rx-usecs 0\" alone does nothing. igb, \
              igc, ixgbe and e1000e have no such switch: they adapt while rx-usecs is 1.",
        trade_off: "More interrupts under load.",
        read: READ,
        source: "Linux drivers/net/ethernet/intel/i40e/i40e_ethtool.c, mellanox/mlx5/core/en_ethtool.c",
    },
    Doc {
        id: "nic/IF/coalesce-adaptive-tx",
        what: "Whether the driver adapts transmit coalescing to the traffic.",
        why: "As for nic/IF/coalesce-adaptive-rx.",
        trade_off: "As for nic/IF/coalesce-adaptive-rx.",
        read: READ,
        source: "Linux drivers/net/ethernet/intel/i40e/i40e_ethtool.c, mellanox/mlx5/core/en_ethtool.c",
    },
    Doc {
        id: "nic/IF/coalesce-rx-usecs",
        what: "How long a received packet may wait for its interrupt, in microseconds.",
        why: "The wait is added to every packet that comes alone.",
        trade_off: "An interrupt for each packet: more of them on the housekeeping CPUs under load.",
        read: "saved: as for the rings; live: the driver's number; effect: the same, unless the driver adapts it.",
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/coalesce-tx-usecs",
        what: "How long the report that a packet was sent may wait, in microseconds.",
        why: "The buffers of the sender are free sooner; nothing on the wire changes.",
        trade_off: "As for nic/IF/coalesce-rx-usecs. Where queues share their interrupts (ixgbe, and igb and igc with more \
                    than half of their channels), rx-usecs counts for both.",
        read: "As for nic/IF/coalesce-rx-usecs.",
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/coalesce-NAME",
        what: "Another number of interrupt coalescing, by ethtool's word.",
        why: "The profile names it.",
        trade_off: "What 0 means differs between drivers: bnxt_en makes 1 of 0 frames, virtio_net turns polling for sent \
                    packets off by it, and mlx4_core refuses 0 for tx-frames-irq.",
        read: "As for nic/IF/coalesce-rx-usecs.",
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/pause-NAME",
        what: "Pause frames, by which one end asks the other to stop sending: autoneg, rx or tx.",
        why: "A slow receiver on the same switch can stop the whole port.",
        trade_off: "Without them a burst is dropped instead. Most drivers negotiate the link anew; mlx4 and mlx5 do not.",
        read: READ,
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/eee",
        what: "Energy-efficient Ethernet: an idle link sleeps.",
        why: "The first packet after a pause waits until the link is awake.",
        trade_off: "A watt or less. The link is negotiated anew.",
        read: READ,
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/flag-NAME",
        what: "A private flag of the driver.",
        why: "The profile names it.",
        trade_off: "That of the flag, which the plan tells of some: rx_cqe_compress and skb_tx_mpwqe of mlx5_core, \
                    flow-director-atr and link-down-on-close of i40e, blueflame of mlx4_core. Some reset the card.",
        read: READ,
        source: "the driver's own documentation; Linux drivers/net/ethernet",
    },
    Doc {
        id: "nic/IF/link",
        what: "Whether the link is up, in full duplex, at the highest speed that both ends offer.",
        why: "A cable or a transceiver that is going bad, and a switch port that is set by hand, show as a slower link: every \
              packet takes longer on the wire.",
        trade_off: NO_CHANGE,
        read: "live: whether there is a link; effect: its speed and duplex, and what both ends offer, over netlink. saved: \
               nothing is.",
        source: SOURCE,
    },
    Doc {
        id: "nic/IF/pcie",
        what: "Whether the PCI Express link of the port runs at the speed and width of which the card is capable.",
        why: "A card in a slot with fewer lanes, or that came up slower after a bad contact, takes longer to move each packet \
              to memory.",
        trade_off: "None: it is a finding; the remedy is another slot, or seating the card anew. Where the slot can do no \
                    more, it is told as rounded.",
        read: "live and effect: current_link_* and max_link_* of the device and of the bridge above it. saved: nothing is.",
        source: "Linux Documentation/ABI/testing/sysfs-bus-pci; drivers/pci/pci-sysfs.c",
    },
    Doc {
        id: "nic/IF/node",
        what: "Whether an isolated CPU is on the port's NUMA node.",
        why: "The application that serves the port belongs there: from another node each packet crosses to it.",
        trade_off: "None: it is a finding. cpus.nics in the profile has the isolated CPUs chosen near a port.",
        read: "live and effect: numa_node of the device against the plan's isolated CPUs. saved: nothing is.",
        source: "Linux Documentation/ABI/testing/sysfs-bus-pci",
    },
    Doc {
        id: "nic/IF/irqs",
        what: "Whether the port's interrupts fire on the CPUs that serve the OS.",
        why: "As for irq/NAME, of which it is the sum for one port.",
        trade_off: "None: irq-affinity.service moves them.",
        read: "saved: irq-affinity.service; live: every smp_affinity_list of the device; effect: every \
               effective_affinity_list. Interrupts that nobody can move are left out.",
        source: "Linux Documentation/core-api/irq/irq-affinity.rst",
    },
    Doc {
        id: "nic/IF/drops",
        what: "Whether the port loses packets.",
        why: "A packet that is lost is later by a retransmission, or never comes.",
        trade_off: "None: it is a finding. rx_missed_errors asks for a longer ring or quicker interrupts, rx_crc_errors for \
                    another cable; rx_dropped counts packets of protocols that nobody listens to, too.",
        read: "live and effect: the counters of /sys/class/net/IF/statistics; where one is not zero, twice, 100 ms apart: \
               those that grow are told. saved: nothing is.",
        source: "Linux Documentation/networking/statistics.rst",
    },
    Doc {
        id: "nic/IF/pause-frames",
        what: "Whether one end asks the other to stop sending.",
        why: "While a pause lasts nothing is sent: latency that no counter of this host's CPUs shows.",
        trade_off: "None: it is a finding. Received ones come from a switch or a peer that is too slow; sent ones tell that this \
                    host is. pause-rx and pause-tx in the profile turn them off, and packets are dropped instead.",
        read: "live and effect: the driver's counters over netlink (since Linux 5.9); where one is not zero, twice, 100 ms \
               apart. saved: nothing is.",
        source: "Linux Documentation/networking/ethtool-netlink.rst, \"PAUSE_GET\"; net/ethtool/pause.c",
    },
    Doc {
        id: "nic/IF/time-stamps",
        what: "Where the port can take time stamps, and its clock.",
        why: "Stamps of the hardware tell when a packet was on the wire, those of software when the kernel came to it.",
        trade_off: NO_CHANGE,
        read: "live: the driver's own answer over netlink (ethtool -T shows the same). What an application has turned on is not \
               asked. saved: nothing is.",
        source: "Linux Documentation/networking/timestamping.rst",
    },
    Doc {
        id: "nic/IF/stack",
        what: "Whether libvma can go past the kernel on this port.",
        why: "It tells which of the two ways to a packet is open on the port.",
        trade_off: NO_CHANGE,
        read: "live and effect: the driver of the port. saved: nothing is.",
        source: "NVIDIA Messaging Accelerator (VMA) documentation, system requirements",
    },
];

/// What a check costs.
const NO_CHANGE: &str = "None: it is looked at, and nothing is changed.";

/// The words of a knob.
pub(super) fn of(knob: &Knob) -> &'static Doc {
    use NumberKnob as N;
    let family = match knob {
        Knob::Number(N::ChannelsRx | N::ChannelsTx | N::ChannelsCombined) => "channels-NAME",
        Knob::Number(number @ (N::RingRx | N::RingTx | N::RxUsecs | N::TxUsecs)) => number.word(),
        Knob::Number(_) => "coalesce-NAME",
        Knob::Switch(SwitchKnob::PauseAutoneg | SwitchKnob::PauseRx | SwitchKnob::PauseTx) => {
            "pause-NAME"
        }
        Knob::Switch(switch) => switch.word(),
        Knob::Feature(word) => match word.as_str() {
            "gro" => "feature-gro",
            "lro" => "feature-lro",
            "tso" => "feature-tso",
            "gso" => "feature-gso",
            _ => "feature-NAME",
        },
        Knob::Flag(_) => "flag-NAME",
    };
    find(family)
}

/// The words of the units.
pub(super) fn service() -> &'static Doc {
    find("service")
}

/// The words of a check.
pub(super) fn check(what: &str) -> &'static Doc {
    find(what)
}

fn find(what: &str) -> &'static Doc {
    DOCS.iter()
        .find(|doc| doc.id.strip_prefix("nic/IF/") == Some(what))
        .expect("every kind of setting has its words")
}
