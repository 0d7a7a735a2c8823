# What scripts for trading servers do: boot arguments, interrupts and huge pages by hand.
set -eu
mkdir -p /etc/default/grub.d
cat > /etc/default/grub.d/50-classic.cfg <<'EOF'
GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT isolcpus=2-7 nohz_full=2-7 rcu_nocbs=2-7"
EOF
cat > /usr/local/sbin/classic-irqs <<'EOF'
#!/bin/sh
for irq in /proc/irq/*/smp_affinity; do echo 3 > "$irq" 2>/dev/null; done
echo 3 > /proc/irq/default_smp_affinity
echo never > /sys/kernel/mm/transparent_hugepage/enabled
exit 0
EOF
chmod 755 /usr/local/sbin/classic-irqs
cat > /etc/systemd/system/classic.service <<'EOF'
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/classic-irqs
[Install]
WantedBy=multi-user.target
EOF
systemctl enable -q classic.service
update-grub 2>/dev/null
