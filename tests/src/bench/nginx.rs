//! nginx as a reverse proxy in front of the node: with a cache the yardstick for a hit, without one for a miss.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::process::{Process, free_address};

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    /// Where it answers from its cache.
    pub address: SocketAddr,
    /// Where it passes everything on.
    pub passing: SocketAddr,
}

// === impl Nginx ===

impl Nginx {
    /// Starts nginx with two workers, a port with a cache keyed by the request's body and one without.
    pub fn start(dir: &Path, node: SocketAddr) -> Self {
        let (address, passing) = (free_address(), free_address());
        let dir = dir.join("nginx");
        std::fs::create_dir_all(&dir).expect("the folder can be made");
        let path = dir.display();
        let config = format!(
            "daemon off; master_process on; worker_processes 2; pid {path}/pid; error_log {path}/error.log;\n\
             user root;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; client_body_buffer_size 1m;\n\
             client_body_temp_path {path}/body; proxy_temp_path {path}/temp;\n\
             fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\n\
             proxy_cache_path {path}/cache keys_zone=answers:16m max_size=1g;\n\
             upstream node {{ server {node}; keepalive 16; }}\n\
             server {{ listen {address} reuseport; tcp_nodelay on;\n\
             location / {{ proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host localhost;\n\
             proxy_cache answers; proxy_cache_methods POST; proxy_cache_key \"$request_body\";\n\
             proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control Expires Vary; }} }}\n\
             server {{ listen {passing} reuseport; tcp_nodelay on;\n\
             location / {{ proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host localhost; }} }} }}\n"
        );
        let file = dir.join("nginx.conf");
        std::fs::write(&file, config).expect("the configuration can be written");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-e").arg(dir.join("start.log"));
        let mut process = Process::start(command, &dir.join("out.log"));
        process.listening(address);
        process.listening(passing);
        Self { process, address, passing }
    }

    /// The master and its workers.
    pub fn pids(&self) -> Vec<u32> {
        let master = self.process.pid();
        let children =
            std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([master]).collect()
    }

    /// Ends nginx, workers included.
    pub fn stop(self) {
        self.process.terminate();
    }
}
