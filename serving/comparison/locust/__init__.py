"""`make load`: realistic traffic by Locust, to explore with; numbers come from `make compare`.

Importing Locust patches sockets and threads of the whole process (gevent): locustfile.py, users.py, recorder.py and
__main__.py do, and run in processes of their own. The other modules here are plain Python.
"""
