//! coturn as a process that ends with the test.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The secret of REST credentials.
pub const SECRET: &str = "topsecret";
/// A name that its certificate is good for, besides its address and `localhost`. Nothing resolves it (RFC 6761 6.2): who wants
/// to use it puts it into a hosts file.
pub const NAME: &str = "turn.test";
/// The account of long-term credentials.
pub const USER: (&str, &str) = ("alice", "secret");

/// How clients prove who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Auth {
    /// A username and a password that the server knows.
    LongTerm,
    /// Ephemeral ones, made with a secret that the server knows.
    Rest,
}

/// A running coturn; dropping it ends it.
#[derive(Debug)]
pub struct Coturn {
    child: Child,
    dir: TempDir,
    ip: IpAddr,
    port: u16,
    tls_port: u16,
    arguments: Vec<String>,
    namespace: Option<String>,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
}

/// Why there is no coturn.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is not installed.
    #[error("turnserver is not installed (Debian: apt-get install coturn): {0}")]
    Missing(io::Error),
    /// It did not come up; with the end of its log.
    #[error("coturn did not come up: {0}")]
    Dead(String),
    /// A file, a port or a certificate could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
}

impl Coturn {
    /// Starts one on the loopback address `ip`, with `extra` options.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(ip: IpAddr, auth: Auth, extra: &[&str]) -> Result<Self, StartError> {
        Self::start_in(None, ip, auth, extra)
    }

    /// As [`start`](Self::start), in a network namespace; there on the standard ports.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_in(namespace: Option<&str>, ip: IpAddr, auth: Auth, extra: &[&str]) -> Result<Self, StartError> {
        let dir = tempfile::tempdir()?;
        let key = rcgen::generate_simple_self_signed([ip.to_string(), "localhost".to_owned(), NAME.to_owned()])?;
        let (cert_path, key_path) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&cert_path, key.cert.pem())?;
        std::fs::write(&key_path, key.signing_key.serialize_pem())?;
        let (port, tls_port) = if namespace.is_some() { (3478, 5349) } else { (free_port(ip)?, free_port(ip)?) };
        let mut arguments: Vec<String> = vec![
            "-n".to_owned(),
            format!("--listening-ip={ip}"),
            format!("--listening-port={port}"),
            format!("--tls-listening-port={tls_port}"),
            "--realm=test".to_owned(),
            format!("--cert={}", cert_path.display()),
            format!("--pkey={}", key_path.display()),
            format!("--pidfile={}", dir.path().join("pid").display()),
            format!("--userdb={}", dir.path().join("db").display()),
            format!("--log-file={}", dir.path().join("log").display()),
            "--simple-log".to_owned(),
            "--no-cli".to_owned(),
            "--allow-loopback-peers".to_owned(),
        ];
        if !extra.iter().any(|option| option.starts_with("--relay-ip")) {
            arguments.push(format!("--relay-ip={ip}"));
        }
        match auth {
            Auth::LongTerm => {
                arguments.extend([format!("--user={}:{}", USER.0, USER.1), "--lt-cred-mech".to_owned()]);
            }
            Auth::Rest => {
                arguments.extend(["--use-auth-secret".to_owned(), format!("--static-auth-secret={SECRET}")]);
            }
        }
        arguments.extend(extra.iter().map(|&option| option.to_owned()));
        let child = spawn(namespace, &arguments)?;
        let namespace = namespace.map(str::to_owned);
        let mut server =
            Self { child, dir, ip, port, tls_port, arguments, namespace, certificate: key.cert.der().to_vec() };
        server.wait()?;
        Ok(server)
    }

    /// Ends it and starts it again on the same ports: it has forgotten everything.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.child = spawn(self.namespace.as_deref(), &self.arguments)?;
        self.wait()
    }

    /// Where it listens for UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// Where it listens for TLS.
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.tls_port)
    }

    /// A file with its certificate, in DER.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn certificate_file(&self) -> io::Result<PathBuf> {
        let path = self.dir.path().join("cert.der");
        std::fs::write(&path, &self.certificate)?;
        Ok(path)
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log"));
        let text: String = logs.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }

    /// Until it listens.
    fn wait(&mut self) -> Result<(), StartError> {
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                break;
            }
            if self.is_up(self.port) && self.is_up(self.tls_port) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(StartError::Dead(self.log()))
    }

    fn is_up(&self, port: u16) -> bool {
        let Some(namespace) = &self.namespace else {
            return TcpStream::connect_timeout(&(self.ip, port).into(), Duration::from_millis(200)).is_ok();
        };
        let connect = format!("exec 3<>/dev/tcp/{}/{port}", self.ip);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "bash", "-c", &connect]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(namespace: Option<&str>, arguments: &[String]) -> Result<Child, StartError> {
    let mut command = Command::new(if namespace.is_some() { "ip" } else { "turnserver" });
    if let Some(namespace) = namespace {
        command.args(["netns", "exec", namespace, "turnserver"]);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(StartError::Missing)
}

/// A port that UDP and TCP have free.
fn free_port(ip: IpAddr) -> io::Result<u16> {
    for _ in 0..50 {
        let port = UdpSocket::bind((ip, 0))?.local_addr()?.port();
        if std::net::TcpListener::bind((ip, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// 127.0.0.1.
pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
