//! Type php: lighttpd where it is installed and the tool configures it; otherwise the runner serves the files
//! and has php-cgi run the scripts, over `FastCGI`.

mod cgi;
mod fastcgi;
mod gate;
mod pool;

use super::{
    lighttpd, machine,
    place::Place,
    site::{Site, SiteArgs},
    work::Work,
};
pub(super) use gate::Gate;
pub(super) use pool::Pool;

pub(super) fn prepare(place: &Place) -> Result<Work, String> {
    let php = machine::need(&["php-cgi"], "php-cgi", "type php")?;
    let own = lighttpd::own_configuration(place);
    if own.is_file() {
        if let Some(program) = machine::find("lighttpd") {
            return lighttpd::run(place, &program, Some(&php));
        }
        anstream::eprintln!(
            "{} is not read: lighttpd is not installed here (Debian's package lighttpd)",
            own.display()
        );
    }
    let pool = Pool::new(place, php)?;
    let site = Site::new(place, SiteArgs::read(&place.extra)?, Some(pool.gate()))?;
    Ok(Work::Site(site.router(), Some(pool)))
}
