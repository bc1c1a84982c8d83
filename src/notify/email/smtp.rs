//! The conversation with a mail server.

use std::fmt::Write as _;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::bounded::Bounded;
use super::tls::Tls;
use super::{EmailSettings, Encryption};
use crate::notify::SettingsError;
use crate::notify::outcome::{Remedy, Undelivered};

/// How long the server may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// One mail server, and how to speak to it.
pub(super) struct Smtp {
    server: String,
    port: u16,
    privacy: Privacy,
    hello: ClientId,
    login: Option<Credentials>,
    timeout: Duration,
}

/// [`Encryption`], with what it takes.
enum Privacy {
    Starttls(TlsParameters),
    Tls(Tls),
    None,
}

/// What became of one mail. Recipients are named by their place.
pub(super) struct Handed {
    /// They have it.
    pub(super) taken: Vec<usize>,
    /// The server will never take it for them.
    pub(super) refused: Vec<usize>,
    /// The server may take it for them later.
    pub(super) later: Vec<usize>,
    /// What the server said.
    pub(super) answer: String,
}

impl Smtp {
    pub(super) fn new(settings: &EmailSettings, from: &Mailbox) -> Result<Self, SettingsError> {
        if settings.login.is_some() && settings.encryption == Encryption::Plain {
            return Err(SettingsError::PlainPassword);
        }
        let (privacy, usual) = match settings.encryption {
            Encryption::Starttls => (Privacy::Starttls(starttls(settings)?), 587),
            Encryption::Tls => (Privacy::Tls(Tls::new(&settings.server, settings.ca.as_deref())?), 465),
            Encryption::Plain => (Privacy::None, 25),
        };
        let login = settings.login.as_ref();
        let login = login.map(|login| (login.user.clone(), login.password.expose_secret().to_owned()));
        Ok(Self {
            server: settings.server.clone(),
            port: settings.port.unwrap_or(usual),
            privacy,
            hello: ClientId::Domain(from.email.domain().to_owned()),
            login: login.map(|(user, password)| Credentials::new(user, password)),
            timeout: settings.timeout,
        })
    }

    /// Hands `mail` over for every recipient that the server takes it for.
    pub(super) async fn hand_over(
        &self,
        from: &Address,
        to: &[(usize, &Address)],
        mail: &[u8],
    ) -> Result<Handed, Undelivered> {
        let until = Instant::now() + self.timeout;
        let late = |_| Undelivered::retry(&format!("{} was not done within {:?}", self.server, self.timeout));
        let connected = timeout_at(until, self.connect()).await.map_err(late)?;
        let mut server = connected
            .map_err(|what| Undelivered::retry(&format!("{}:{}: {what}", self.server, self.port)))?;
        let result = timeout_at(until, self.converse(&mut server, from, to, mail)).await;
        // Whatever comes of a polite end, the server has the mail or has it not.
        let _ = timeout(FAREWELL, server.abort()).await;
        result.map_err(late)?
    }

    /// Whatever goes wrong here is about the server, not about the mail: another day it may be better.
    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let smtp = |error: Error| error.to_string();
        let io = |error: std::io::Error| error.to_string();
        let stream = TcpStream::connect((self.server.as_str(), self.port)).await.map_err(io)?;
        let stream: Box<dyn AsyncTokioStream> = match &self.privacy {
            Privacy::Tls(tls) => Box::new(Bounded::new(tls.connect(stream).await.map_err(io)?)),
            Privacy::Starttls(_) | Privacy::None => Box::new(Bounded::new(stream)),
        };
        let mut server =
            AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await.map_err(smtp)?;
        if let Privacy::Starttls(tls) = &self.privacy {
            server.starttls(tls.clone(), &self.hello).await.map_err(smtp)?;
        }
        Ok(server)
    }

    async fn converse(
        &self,
        server: &mut AsyncSmtpConnection,
        from: &Address,
        to: &[(usize, &Address)],
        mail: &[u8],
    ) -> Result<Handed, Undelivered> {
        if let Some(login) = &self.login {
            let known = [Mechanism::Plain, Mechanism::Login];
            server.auth(&known, login).await.map_err(|error| refused(&error))?;
        }
        let begin = Mail::new(Some(from.clone()), vec![]);
        server.command(begin).await.map_err(|error| refused(&error))?;
        let mut handed = Handed { taken: vec![], refused: vec![], later: vec![], answer: String::new() };
        for (at, address) in to {
            match server.command(Rcpt::new((*address).clone(), vec![])).await {
                Ok(_) => handed.taken.push(*at),
                Err(error) if error.is_permanent() => {
                    handed.refused.push(*at);
                    handed.note(address, &error);
                }
                Err(error) if error.is_transient() => {
                    handed.later.push(*at);
                    handed.note(address, &error);
                }
                Err(error) => return Err(refused(&error)),
            }
        }
        if handed.taken.is_empty() {
            return Ok(handed);
        }
        server.command(Data).await.map_err(|error| refused(&error))?;
        let answer = server.message(mail).await.map_err(|error| refused(&error))?;
        let said: Vec<&str> = answer.message().collect();
        handed.answer = format!("{} {}{}", answer.code(), said.join(" "), handed.answer);
        Ok(handed)
    }
}

impl Handed {
    fn note(&mut self, address: &Address, error: &Error) {
        // Writing to a string does not fail.
        let _ = write!(self.answer, "; {address}: {error}");
    }
}

/// What an answer to a command means: 4yz is worth another try, 5yz is not (RFC 5321, 4.2.1), nor is a wrong password.
fn refused(error: &Error) -> Undelivered {
    let remedy = if error.is_permanent() { Remedy::Fail } else { Remedy::Retry { after: None } };
    Undelivered::new(remedy, &error.to_string())
}

fn starttls(settings: &EmailSettings) -> Result<TlsParameters, SettingsError> {
    let wrong = |error: Error| SettingsError::Tls { what: error.to_string() };
    let mut tls = TlsParameters::builder(settings.server.clone());
    if let Some(pem) = &settings.ca {
        tls = tls
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    tls.build().map_err(wrong)
}
