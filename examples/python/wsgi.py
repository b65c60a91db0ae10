"""A plain WSGI application, without any package: `ringcorn wsgi`."""


def application(environ, start_response):
    body = f"Hello from {environ['PATH_INFO']}\n".encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", fields)
    return [body]
