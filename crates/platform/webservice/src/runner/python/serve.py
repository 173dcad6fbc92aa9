"""Serves `app` of the current folder's app.py on $PORT: WSGI (PEP 3333), or ASGI where the application is one.

The runner starts this with the Python of the tool's venv, or that of the machine; it needs nothing but the
standard library.
"""

import inspect
import os
import sys
import traceback


def load():
    """The application."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        import app as module
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "app":
            sys.exit(f"{folder}/app.py is not there")
        # From the application on: nobody has to read past this file.
        traceback.print_exception(error.with_traceback(error.__traceback__.tb_next))
        if isinstance(error, ModuleNotFoundError):
            print(
                f"{error.name} is not installed; install it into ~/www/python/venv, which `python3 -m venv` makes",
                file=sys.stderr,
            )
        sys.exit(1)
    application = getattr(module, "app", None)
    if not callable(application):
        sys.exit(f"{folder}/app.py has no callable `app`; it must have one (WSGI or ASGI)")
    return application


def is_asynchronous(function):
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return inspect.iscoroutinefunction(function)


def asgi(application):
    """The application as ASGI 3, or None where it is WSGI."""
    if inspect.isclass(application):
        # ASGI 2: an instance for each scope, which is then called.
        if is_asynchronous(getattr(application, "__call__", None)):

            async def of_instances(scope, receive, send):
                await application(scope)(receive, send)

            return of_instances
        return None
    if is_asynchronous(application) or is_asynchronous(getattr(application, "__call__", None)):
        return application
    return None


def importable(name):
    try:
        return __import__(name)
    except ImportError:
        return None


def serve_asgi(application, port):
    if uvicorn := importable("uvicorn"):
        print(f"serving app.py (ASGI) with uvicorn {uvicorn.__version__} on port {port}", flush=True)
        # Only the gateway reaches this port, and it says of itself what it forwards.
        uvicorn.run(
            application,
            host="0.0.0.0",
            port=port,
            proxy_headers=True,
            forwarded_allow_ips="*",
            access_log=False,
            log_level="warning",
            interface="asgi3",
        )
    elif importable("hypercorn"):
        serve_with_hypercorn(application, port)
    else:
        from asgi_server import serve

        print(f"serving app.py (ASGI) on port {port}; WebSockets need uvicorn in ~/www/python/venv", flush=True)
        serve(application, port)


def serve_with_hypercorn(application, port):
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.middleware import ProxyFixMiddleware

    print(f"serving app.py (ASGI) with hypercorn on port {port}", flush=True)
    config = Config()
    config.bind = [f"0.0.0.0:{port}"]
    asyncio.run(serve(ProxyFixMiddleware(application, mode="legacy", trusted_hops=1), config))


def main():
    port = int(os.environ["PORT"])
    # The servers lie beside this file; the tool's own modules come first.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path = [folder for folder in sys.path if folder != here]
    application = load()
    sys.path.append(here)
    if asynchronous := asgi(application):
        serve_asgi(asynchronous, port)
    else:
        from wsgi_server import serve

        print(f"serving app.py on port {port}", flush=True)
        serve(application, port)


main()
