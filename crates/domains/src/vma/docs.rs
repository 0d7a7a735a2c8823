//! The words of the settings.

use hftune_model::setting::Doc;

pub(super) const DOCS: &[Doc] = &[
    Doc {
        id: "vma/packages",
        what: "The packages of libvma, out of the repositories that this host has.",
        why: "libvma lets a program that uses sockets talk to an NVIDIA card without the kernel.",
        trade_off: "Nothing is compiled, and no driver is replaced: the kernel's own mlx5 is used. Rollback removes the \
                    packages that hftune added.",
        read: "saved and live: libvma.so in a directory of libraries.",
        source: "apt-get(8); dnf(8); libvma README",
    },
    Doc {
        id: "vma/modules",
        what: "The kernel modules that libvma talks to, loaded at every boot: ib_uverbs, rdma_ucm, and mlx5_ib or mlx4_ib.",
        why: "Without ib_uverbs and the driver there is no device to offload to, without rdma_ucm addresses are not resolved.",
        trade_off: "A few MiB of kernel memory.",
        read: "saved: /etc/modules-load.d/hftune-vma.conf; live and effect: /sys/module/NAME, or the list of what is built in.",
        source: "modules-load.d(5); libvma src/vma/dev/ib_ctx_handler_collection.cpp, issue 1022",
    },
    Doc {
        id: "vma/mlx4",
        what: "The option of mlx4_core that lets the card steer packets to programs (log_num_mgm_entry_size=-1), for ConnectX-3.",
        why: "Without it libvma warns and offloads nothing on such a card.",
        trade_off: "ConnectX-3 only: cards that mlx5 drives have no such option, and hftune never writes it for them.",
        read: "saved: /etc/modprobe.d/hftune-mlx4.conf; live and effect: /sys/module/mlx4_core/parameters/log_num_mgm_entry_size.",
        source: "modprobe.d(5); libvma src/vma/main.cpp (check_flow_steering_log_num_mgm_entry_size)",
    },
    Doc {
        id: "vma/rules",
        what: "/etc/libvma.conf: sockets on the addresses of the chosen ports go to libvma, all others to the kernel.",
        why: "Without rules libvma takes every socket that a card of NVIDIA's could carry, DNS and ssh of the application \
              included.",
        trade_off: "Rules know addresses, not ports: when an address changes, verify says so and hftune setup writes the rules \
                    anew. A listener on 0.0.0.0 uses the kernel: bind to the port's address. A UDP socket that is not \
                    connected is chosen by its destination alone. The file holds no variables: VMA_ lines in it end the rules.",
        read: "saved: the file, compared with the rules for the addresses that the ports have now.",
        source: "libvma src/vma/config_parser.y, src/vma/util/libvma.c; libvma.conf",
    },
    Doc {
        id: "vma/VMA_NAME",
        what: "A parameter of libvma, which applications that are started with \"hftune run --vma\" get in their environment.",
        why: "libvma reads parameters from the environment only, ignores misspelt names, and takes text for 0, all in silence. \
              hftune checks each name and value before it writes them.",
        trade_off: "hftune vma params NAME tells of each. Polling without end keeps a CPU busy: isolate it.",
        read: "saved: /etc/hftune/vma.env. The effect is told by \"hftune vma check\", which loads the library and reads the \
               values that it prints.",
        source: "libvma src/vma/util/sys_vars.cpp",
    },
    Doc {
        id: "vma/launcher",
        what: "/usr/local/bin/run-with-vma.sh, which starts a program with libvma on isolated CPUs.",
        why: "It is the name that operators know; it calls \"hftune run --vma\".",
        trade_off: "None. VMA_CORES and VMA_PRIORITY in its environment choose CPUs and priority.",
        read: "saved: the file.",
        source: "hftune run --help",
    },
    Doc {
        id: "vma/application",
        what: "vma-app@.service: \"systemctl start vma-app@NAME\" starts the application of that name with libvma on isolated CPUs.",
        why: "It has the limits and the few capabilities that libvma needs instead of root, comes after huge pages and the \
              tuning of ports, and is started again when it fails.",
        trade_off: "The application sees a read-only system and writes below /var/lib/vma-app/NAME and /var/log/vma-app/NAME; \
                    docs/vma.md tells how to open more.",
        read: "saved: the unit file. An instance is proved by \"hftune run --check\".",
        source: "systemd.exec(5); systemd.service(5); capabilities(7)",
    },
];

/// The words of one of them.
pub(super) fn of(what: &str) -> &'static Doc {
    DOCS.iter()
        .find(|doc| doc.id.trim_start_matches("vma/") == what)
        .expect("every setting of the domain has its words")
}

/// The words of the parameters.
pub(super) fn of_parameters() -> &'static Doc {
    of("VMA_NAME")
}
